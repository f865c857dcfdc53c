import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from server.journal import Journal, JournalTooNew, JournalUnavailable
from server.journal.database import parse_url
from server.journal.tables import SCHEMA_VERSION


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("sqlite:////var/lib/parley/parley.db", "/var/lib/parley/parley.db"),
        ("sqlite:///data/parley.db", "data/parley.db"),
        ("/var/lib/parley/parley.db", "/var/lib/parley/parley.db"),
        ("./odd name%20?.db", "./odd name%20?.db"),
    ],
)
def test_a_url_or_a_path_names_the_file(given: str, file: str) -> None:
    assert parse_url(given).database == file


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            "mysql://u:pass-word@localhost/parley",
            "^the journal is an SQLite file or in PostgreSQL; mysql is not supported$",
        ),
        ("postgresql+asyncpg://localhost/parley", r"postgresql\+asyncpg is not supported"),
        ("postgresql://u:pass-word@localhost:secret/parley", "^the URL of the journal is not like [^ ]+$"),
        ("sqlite://", "needs a file"),
        (":memory:", "needs a file"),
        ("", "needs a file"),
    ],
)
def test_what_names_no_database_is_refused(given: str, why: str) -> None:
    with pytest.raises(JournalUnavailable, match=why):
        Journal(given)


async def test_the_folder_is_made(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "a" / "b" / "parley.db"))
    await journal.open()
    await journal.close()
    assert (tmp_path / "a" / "b" / "parley.db").stat().st_size > 0


def test_nothing_is_touched_before_opening(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "a" / "parley.db"))
    asyncio.run(journal.close())
    assert list(tmp_path.iterdir()) == []


async def test_a_new_file_carries_its_schema_version(path: Path, file_journal: Journal) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM journal_schema").fetchall() == [(SCHEMA_VERSION,)]


async def test_a_newer_schema_is_refused_and_left_alone(path: Path, file_journal: Journal) -> None:
    await file_journal.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE journal_schema SET version = ?", (SCHEMA_VERSION + 1,))
    again = Journal(str(path))
    with pytest.raises(JournalTooNew, match=rf"newer version \(schema {SCHEMA_VERSION + 1}, this one knows"):
        await again.open()
    await again.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version FROM journal_schema").fetchall() == [(SCHEMA_VERSION + 1,)]
