"""First answers to requests with an `Idempotency-Key`, kept for a day.

A key counts within its scope: whose request it is, its method and its path. Whether a repeated request has
the same body is for the caller to see from `body_hash`.
"""

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from server.journal.tables import idempotency

KEEP_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class RememberedAnswer:
    """The first answer to a request."""

    body_hash: str
    """Of the request's body."""
    status: int
    response_body: str


def recall(connection: Connection, key: str, scope: str, now: float) -> RememberedAnswer | None:
    """Return the answer remembered under the key, unless it is older than a day."""
    row = connection.execute(
        select(idempotency.c.body_hash, idempotency.c.status, idempotency.c.response_body).where(
            idempotency.c.key == key, idempotency.c.scope == scope, idempotency.c.created_at > now - KEEP_S
        )
    ).first()
    return None if row is None else RememberedAnswer(row.body_hash, row.status, row.response_body)


def remember(connection: Connection, key: str, scope: str, answer: RememberedAnswer, now: float) -> None:
    """Keep an answer, unless one is kept under the key already; forget those older than a day."""
    connection.execute(delete(idempotency).where(idempotency.c.created_at <= now - KEEP_S))
    values = {"key": key, "scope": scope, "created_at": now, **asdict(answer)}
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(idempotency).values(values).on_conflict_do_nothing())
    else:
        connection.execute(sqlite.insert(idempotency).values(values).on_conflict_do_nothing())
