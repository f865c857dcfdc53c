"""How the journal's SQLite file is opened: durability, and waiting for locks.

A commit has reached the disk when it returns (`synchronous=FULL`): the last events must survive a power loss,
because they have been told to others by then.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from server.journal.encoding import to_json


def make_engine(url: URL, *, writes: bool, busy_timeout_ms: int) -> Engine:
    """Return an engine whose transactions are real ones; a writing one takes the write lock as it begins."""
    engine = create_engine(url, json_serializer=to_json, pool_size=1, max_overflow=0)
    event.listen(engine, "connect", _prepare(busy_timeout_ms))
    event.listen(engine, "begin", _begin("BEGIN IMMEDIATE" if writes else "BEGIN"))
    return engine


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
