"""What can go wrong with the journal, and which database errors mean it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, InterfaceError, ProgrammingError


class JournalUnavailable(Exception):  # noqa: N818 - named like the code it becomes, `journal_unavailable`
    """The database cannot be used now (locked, full, read-only, damaged, closed); nothing was written."""


class JournalTooNew(JournalUnavailable):
    """A newer version of this program wrote the journal; opening it is refused, so that nothing is lost."""


class SequenceConflict(Exception):  # noqa: N818 - said of the log, as the sentence in it says
    """An event would take a sequence number that is taken, or leave a gap: a mistake in our code."""


@contextmanager
def unavailable_if_broken(where: str) -> Iterator[None]:
    """Turn errors of the database into `JournalUnavailable`; mistakes in our SQL stay what they are."""
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except (DatabaseError, InterfaceError) as error:
        raise JournalUnavailable(f"the journal at {where} cannot be used: {_cause(error)}") from error
    except (sqlite3.Error, OSError) as error:
        raise JournalUnavailable(f"the journal at {where} cannot be used: {error}") from error


def _cause(error: DBAPIError) -> str:
    return str(error.orig) if error.orig is not None else str(error)
