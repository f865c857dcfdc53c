"""How a journal in PostgreSQL is opened: whose it is, durability, and a connection that is lost.

One server has a database at a time: the connection that writes holds an advisory lock as long as it lives. A lost
connection is made anew by the next who needs one, and the lock is taken again, unless another server has it by then.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL

from server.journal.encoding import to_json
from server.journal.errors import JournalUnavailable

LOCK: Final = 0x5061726C6579
"""The key of the advisory lock: `Parley`."""

CONNECT_TIMEOUT_S: Final = 5
SILENCE_MS: Final = 10_000
"""A connection whose other end has not answered for so long is lost."""

_CONNECT: Final = {
    "application_name": "parley",
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_MS,
}

# A commit has reached the disk when it returns. A server set up to wait for replicas too keeps doing that.
_DURABLE: Final = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


def make_engine(url: URL, *, writes: bool, busy_timeout_ms: int) -> Engine:
    """Return an engine; the connection of a writing one holds the lock, or is not made (`JournalUnavailable`)."""
    engine = create_engine(
        url,
        json_serializer=to_json,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        connect_args={name: value for name, value in _CONNECT.items() if name not in url.query},
    )
    event.listen(engine, "connect", _prepare(f"{busy_timeout_ms:d}ms", place(url) if writes else None))
    return engine


def with_driver(url: URL) -> URL:
    """Return the URL for the driver we use, the password where it is not shown when the URL is.

    Raises `JournalUnavailable` if the driver is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise JournalUnavailable(f"PostgreSQL needs the package psycopg[binary], which is missing: {error}") from error
    del psycopg
    password = url.query.get("password")
    if isinstance(password, str):
        url = url.set(password=password).difference_update_query(["password"])
    return url.set(drivername="postgresql+psycopg")


def place(url: URL) -> str:
    """Return where the database is, as messages may show it: without user, password and options."""
    host = url.host or url.query.get("host")
    shown = host if isinstance(host, str) else None
    return URL.create("postgresql", host=shown, port=url.port, database=url.database).render_as_string()


def _prepare(lock_timeout: str, locks: str | None) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        try:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", (lock_timeout,))
            connection.execute(_DURABLE)
            if locks is not None:
                _lock(connection, locks)
            connection.commit()
        except BaseException:
            connection.close()
            raise

    return prepare


def _lock(connection: Any, where: str) -> None:
    import psycopg

    try:
        # It waits for a while: the server may not have noticed yet that a process that held the lock has gone.
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    except psycopg.errors.LockNotAvailable as error:
        raise JournalUnavailable(f"the journal at {where} is in use by another server") from error
