"""What can go wrong with the journal, and which database errors mean it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError

_MISTAKES: Final = (IntegrityError, DataError, ProgrammingError)
"""What databases say to statements or values that are wrong whenever they are said."""


class JournalUnavailable(Exception):  # noqa: N818 - named like the code it becomes, `journal_unavailable`
    """The database cannot be used now (locked, full, read-only, damaged, closed); nothing was written."""


class JournalTooNew(JournalUnavailable):
    """A newer version of this program wrote the journal; opening it is refused, so that nothing is lost."""


class SequenceConflict(Exception):  # noqa: N818 - said of the log, as the sentence in it says
    """An event would take a sequence number that is taken, or leave a gap: a mistake in our code."""


_TROUBLE: Final = (DBAPIError, JournalUnavailable, OSError, sqlite3.Error)


@contextmanager
def unavailable_if_broken(where: str) -> Iterator[None]:
    """Turn errors of the database into `JournalUnavailable`; mistakes in our SQL stay what they are."""
    try:
        yield
    except _MISTAKES:
        raise
    except (DatabaseError, InterfaceError) as error:
        raise JournalUnavailable(f"the journal at {where} cannot be used: {_cause(error)}") from error
    except (sqlite3.Error, OSError) as error:
        raise JournalUnavailable(f"the journal at {where} cannot be used: {error}") from error


def is_mistake(error: Exception) -> bool:
    """Whether it is about what was to be written; otherwise it is about the database, and concerns all that use it."""
    return isinstance(error, _MISTAKES) or not isinstance(error, _TROUBLE)


def _cause(error: DBAPIError) -> str:
    return str(error.orig) if error.orig is not None else str(error)
