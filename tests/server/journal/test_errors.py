import sqlite3

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, ProgrammingError

from server.journal.errors import JournalUnavailable, unavailable_if_broken


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error")),
        DatabaseError("SELECT", None, sqlite3.DatabaseError("disk I/O error")),
        sqlite3.DatabaseError("disk I/O error"),
        OSError(5, "disk I/O error"),
    ],
)
def test_trouble_of_the_database_is_told_in_one_sentence(error: Exception) -> None:
    with pytest.raises(JournalUnavailable) as told, unavailable_if_broken("/data/parley.db"):
        raise error
    assert str(told.value).startswith("the journal at /data/parley.db cannot be used: ")
    assert "disk I/O error" in str(told.value)
    assert told.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("INSERT", None, sqlite3.IntegrityError("UNIQUE")),
        ProgrammingError("SELEKT", None, sqlite3.ProgrammingError("syntax")),
        KeyError("ours"),
    ],
)
def test_our_own_mistakes_stay_mistakes(error: Exception) -> None:
    with pytest.raises(type(error)), unavailable_if_broken("/data/parley.db"):
        raise error
