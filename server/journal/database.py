"""How the journal's SQLite file is opened: durability, waiting for locks, and the version of its schema.

A commit has reached the disk when it returns (`synchronous=FULL`): the last events must survive a power loss,
because they have been told to others by then.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, make_url

from server.journal.errors import JournalTooNew, JournalUnavailable
from server.journal.migrations import migrate
from server.journal.tables import SCHEMA_VERSION, metadata, schema

BUSY_TIMEOUT_MS: Final = 2_000
"""How long a write waits for another process to release the file before it is given up."""


# `json.dumps` would make an encoder for each value.
_to_json: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def parse_url(url_or_path: str) -> URL:
    """Return the URL of an SQLite file from a URL or a path; `JournalUnavailable` for anything else."""
    url = make_url(url_or_path) if "://" in url_or_path else URL.create("sqlite", database=url_or_path)
    if url.get_backend_name() != "sqlite":
        raise JournalUnavailable(f"the journal is an SQLite file; {url.get_backend_name()} is not supported")
    if not url.database or url.database == ":memory:":
        # Reader and writer have a connection each; two in-memory databases would be two journals.
        raise JournalUnavailable("the journal needs a file; an in-memory database is not supported")
    return url


def make_engine(url: URL, *, writes: bool, busy_timeout_ms: int) -> Engine:
    """Return an engine whose transactions are real ones; a writing one takes the write lock as it begins."""
    engine = create_engine(url, json_serializer=_to_json, pool_size=1, max_overflow=0)
    event.listen(engine, "connect", _prepare(busy_timeout_ms))
    event.listen(engine, "begin", _begin("BEGIN IMMEDIATE" if writes else "BEGIN"))
    return engine


def prepare_schema(engine: Engine, url: URL) -> None:
    """Create the tables in a new file, bring older ones up to date; `JournalTooNew` for a file of a newer version."""
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
            f"the journal at {url.database} was written by a newer version (schema {version}, this one knows "
            f"{SCHEMA_VERSION}): start that version, or use another data directory"
        )


def _prepare(busy_timeout_ms: int) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        # Left to itself the driver begins transactions late, and not for every statement; ours are explicit.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms:d}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return prepare


def _begin(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
