"""The questions about deliveries: which lanes have something to send, what is at their heads, and what lists show.

Each takes a connection within a transaction.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, literal_column, select, true

from server.journal.batches import batches
from server.journal.tables import PENDING, UNDELIVERED, deliveries, events, lanes
from server.webhooks.model import Delivery, DeliveryKind, DeliveryRecord, DeliveryState, LaneDue

_heads: Final = (
    select(func.min(deliveries.c.delivery_id).label("delivery_id")).where(PENDING).group_by(deliveries.c.lane_id)
).subquery()
_LANES_DUE: Final = (
    select(deliveries.c.lane_id, deliveries.c.next_at)
    .join(_heads, deliveries.c.delivery_id == _heads.c.delivery_id)
    .order_by(deliveries.c.next_at, deliveries.c.lane_id)
)
_DELIVERY: Final = (
    deliveries.c.delivery_id,
    deliveries.c.lane_id,
    deliveries.c.conference_id,
    deliveries.c.project_id,
    deliveries.c.kind,
    deliveries.c.url,
    deliveries.c.method,
    deliveries.c.encoding,
    deliveries.c.attempts,
    deliveries.c.created_at,
    deliveries.c.next_at,
    events.c.wire,
    lanes.c.gap,
)
_RECORD: Final = [column for column in deliveries.c if column.name not in ("lane_id", "project_id")]


def lanes_due(connection: Connection) -> list[LaneDue]:
    """Return every lane with something pending, with when its head is due; the first due first."""
    return [LaneDue(row.lane_id, row.next_at) for row in connection.execute(_LANES_DUE)]


def heads(connection: Connection, lane_ids: Sequence[int], most_each: int) -> dict[int, list[Delivery]]:
    """Return the first pending deliveries of lanes, in order; a lane without any is left out."""
    found: dict[int, list[Delivery]] = {}
    for some in batches(lane_ids):
        statement = _heads_of(some, most_each, lateral=connection.dialect.name == "postgresql")
        for row in connection.execute(statement):
            found.setdefault(row.lane_id, []).append(_delivery(row))
    return found


def _heads_of(lane_ids: Sequence[int], most_each: int, *, lateral: bool) -> Select[Any]:
    """Return the query for the heads of lanes; however much waits behind them, it does not look at it."""
    waiting = deliveries.alias()
    first = (
        select(waiting.c.delivery_id)
        .where(waiting.c.lane_id == lanes.c.lane_id, waiting.c.state == literal_column("'pending'"))
        .order_by(waiting.c.delivery_id)
        .limit(most_each)
    )
    if lateral:
        # SQLite knows no lateral joins; and how it does without, by a list for each lane, PostgreSQL does badly.
        ahead = first.lateral()
        joined = lanes.join(ahead, true()).join(deliveries, deliveries.c.delivery_id == ahead.c.delivery_id)
    else:
        joined = lanes.join(deliveries, deliveries.c.delivery_id.in_(first.correlate(lanes)))
    return (
        select(*_DELIVERY)
        .select_from(joined.join(events, events.c.event_id == deliveries.c.event_id))
        .where(lanes.c.lane_id.in_(lane_ids))
        .order_by(deliveries.c.lane_id, deliveries.c.delivery_id)
    )


def newest(
    connection: Connection,
    project_id: str,
    conference_id: str | None,
    state: DeliveryState | None,
    limit: int,
    before: int | None,
) -> list[DeliveryRecord]:
    """Return a project's deliveries, the newest first: of a conference and in a state, None: any; after `before`."""
    statement = select(*_RECORD).where(deliveries.c.project_id == project_id)
    if conference_id is not None:
        statement = statement.where(deliveries.c.conference_id == conference_id)
    if state is not None:
        statement = statement.where(deliveries.c.state == state.value)
    if state in (DeliveryState.PENDING, DeliveryState.DEAD):
        # Follows from the state; said for the index of these few.
        statement = statement.where(UNDELIVERED)
    if before is not None:
        statement = statement.where(deliveries.c.delivery_id < before)
    statement = statement.order_by(deliveries.c.delivery_id.desc()).limit(limit)
    return [_record(row) for row in connection.execute(statement)]


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        lane_id=row.lane_id,
        conference_id=row.conference_id,
        project_id=row.project_id,
        kind=DeliveryKind(row.kind),
        url=row.url,
        method=row.method,
        encoding=row.encoding,
        attempts=row.attempts,
        created_at=row.created_at,
        next_at=row.next_at,
        event=row.wire,
        gap=row.gap,
    )


def _record(row: Row[Any]) -> DeliveryRecord:
    values = dict(row._mapping)
    return DeliveryRecord(**values | {"kind": DeliveryKind(row.kind), "state": DeliveryState(row.state)})
