"""Which database a URL names, and how it gets its tables. How each kind is opened is told beside this file."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from server.journal import postgres, sqlite_file
from server.journal.errors import JournalTooNew, JournalUnavailable
from server.journal.migrations import migrate
from server.journal.tables import SCHEMA_VERSION, metadata, schema

BUSY_TIMEOUT_MS: Final = 2_000
"""How long a write waits for another process to release what it holds before it is given up."""


def parse_url(url_or_path: str) -> URL:
    """Return the URL of an SQLite file, from a URL or a path, or of a PostgreSQL database.

    Raises `JournalUnavailable` for anything else, with a message that shows nothing of the URL but its kind.
    """
    if "://" not in url_or_path:
        return _checked_file(URL.create("sqlite", database=url_or_path))
    try:
        url = make_url(url_or_path)
    except (ArgumentError, ValueError):
        # Not what the parser says: parts of a password may be in it.
        raise JournalUnavailable("the URL of the journal is not like postgresql://user:password@host/name") from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return postgres.with_driver(url)
    if url.drivername != "sqlite":
        raise JournalUnavailable(f"the journal is an SQLite file or in PostgreSQL; {url.drivername} is not supported")
    return _checked_file(url)


def _checked_file(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        # Reader and writer have a connection each; two in-memory databases would be two journals.
        raise JournalUnavailable("the journal needs a file; an in-memory database is not supported")
    return url


def place(url: URL) -> str:
    """Return where the database is, as messages may show it."""
    return str(url.database) if _is_file(url) else postgres.place(url)


def make_engine(url: URL, *, writes: bool, busy_timeout_ms: int) -> Engine:
    """Return an engine of one connection, which is made when it is first needed."""
    make = sqlite_file.make_engine if _is_file(url) else postgres.make_engine
    return make(url, writes=writes, busy_timeout_ms=busy_timeout_ms)


def prepare_schema(engine: Engine, url: URL) -> None:
    """Create the tables, or bring older ones up to date; `JournalTooNew` if a newer version made them."""
    if _is_file(url):
        assert url.database is not None
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    with engine.begin() as connection:
        if not inspect(connection).has_table(schema.name):
            metadata.create_all(connection)
            connection.execute(insert(schema).values(version=SCHEMA_VERSION))
            return
        version = connection.execute(select(schema.c.version)).scalar_one()
        if version < SCHEMA_VERSION:
            migrate(connection, version)
    if version > SCHEMA_VERSION:
        raise JournalTooNew(
            f"the journal at {place(url)} was written by a newer version (schema {version}, this one knows "
            f"{SCHEMA_VERSION}): start that version, or use another data directory or database"
        )


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"
