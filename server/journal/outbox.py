"""The statements that put deliveries into their lanes and write what came of them.

Each takes a connection within a transaction. When a delivery is tried, and what comes of it, is decided by the sender;
how what waits is found is `waiting`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urldefrag

from sqlalchemy import Connection, and_, bindparam, exists, insert, literal_column, select, update

from server.conference.log import LoggedEvent
from server.journal.batches import batches
from server.journal.tables import PENDING, deliveries, events, lanes
from server.webhooks.model import DeliveryState, NewDelivery, Settled

ENDPOINT_GONE: Final = "endpoint_gone"
"""The `last_error` of what was never tried, because the endpoint had said before that it wants nothing."""

_FIND_LANE: Final = select(lanes.c.lane_id, lanes.c.closed).where(
    lanes.c.conference_id == bindparam("of"), lanes.c.endpoint == bindparam("at")
)
_INSERT_LANE: Final = insert(lanes)
_INSERT: Final = insert(deliveries)
_THIS: Final = and_(deliveries.c.delivery_id == bindparam("this"), PENDING)
_SETTLE: Final = (
    update(deliveries)
    .where(_THIS)
    .values(
        {
            name: bindparam(name)
            for name in ("state", "attempts", "next_at", "last_attempt_at", "delivered_at", "last_status", "last_error")
        }
    )
)
_MARK_GAP: Final = (
    update(lanes)
    .where(lanes.c.lane_id == bindparam("lane"), lanes.c.gap.is_(False))
    .where(
        exists().where(deliveries.c.delivery_id == bindparam("this"), deliveries.c.state == literal_column("'dead'"))
    )
    .values(gap=True)
)
_CLOSE: Final = update(lanes).where(lanes.c.lane_id == bindparam("lane")).values(closed=True, gap=True)
_GIVE_UP: Final = (
    update(deliveries)
    .where(deliveries.c.lane_id == bindparam("lane"), PENDING)
    .values(state=DeliveryState.DEAD.value, next_at=None, last_error=ENDPOINT_GONE)
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a delivery has of its event."""

    sequence: int
    status: str
    at: float
    """When the delivery is made and due."""


def of_entries(entries: Iterable[LoggedEvent]) -> dict[str, Told]:
    """Return what deliveries need of entries that are being logged, by event id; due when the event happened."""
    return {entry.event_id: Told(entry.sequence, str(entry.event.status), entry.event.at) for entry in entries}


def put(
    connection: Connection, conference_id: str, project_id: str, told: dict[str, Told], new: Sequence[NewDelivery]
) -> list[int]:
    """Put deliveries at the end of their lanes, in order; return the lanes that have something more to be sent.

    In a closed lane they are dead at once. `told` is of every event that they name.
    """
    opened: dict[str, tuple[int, bool]] = {}
    rows: list[dict[str, Any]] = []
    for delivery in new:
        endpoint = urldefrag(delivery.url).url
        if endpoint not in opened:
            opened[endpoint] = _lane(connection, conference_id, project_id, endpoint)
        lane_id, closed = opened[endpoint]
        event = told[delivery.event_id]
        rows.append(
            {
                "lane_id": lane_id,
                "conference_id": conference_id,
                "project_id": project_id,
                "event_id": delivery.event_id,
                "sequence": event.sequence,
                "status": event.status,
                "kind": delivery.kind.value,
                "url": delivery.url,
                "method": delivery.method,
                "encoding": delivery.encoding,
                "state": (DeliveryState.DEAD if closed else DeliveryState.PENDING).value,
                "attempts": 0,
                "created_at": event.at,
                "next_at": None if closed else event.at,
                "last_error": ENDPOINT_GONE if closed else None,
            }
        )
    if rows:
        connection.execute(_INSERT, rows)
    return [lane_id for lane_id, closed in opened.values() if not closed]


def put_again(connection: Connection, conference_id: str, new: Sequence[NewDelivery], now: float) -> list[int]:
    """Put logged events into lanes once more, at once due, as is what waits there; return the lanes.

    Somebody asks for it, so a lane that was closed is open again. Raises `LookupError` if the conference has not logged
    such an event.
    """
    if not new:
        return []
    named = list({delivery.event_id for delivery in new})
    told: dict[str, Told] = {}
    project_id = ""
    for some in batches(named):
        statement = select(events.c.event_id, events.c.sequence, events.c.wire, events.c.project_id).where(
            events.c.conference_id == conference_id, events.c.event_id.in_(some)
        )
        for row in connection.execute(statement):
            told[row.event_id] = Told(row.sequence, row.wire["params"]["status"], now)
            project_id = row.project_id
    if missing := set(named) - told.keys():
        raise LookupError(f"the conference {conference_id} has no event {min(missing)}")
    endpoints = list({urldefrag(delivery.url).url for delivery in new})
    for some in batches(endpoints):
        here = and_(lanes.c.conference_id == conference_id, lanes.c.endpoint.in_(some))
        connection.execute(update(lanes).where(here, lanes.c.closed.is_(True)).values(closed=False))
    lane_ids = put(connection, conference_id, project_id, told, new)
    for lanes_of_some in batches(lane_ids):
        connection.execute(
            update(deliveries)
            .where(deliveries.c.lane_id.in_(lanes_of_some), PENDING, deliveries.c.next_at > now)
            .values(next_at=now)
        )
    return lane_ids


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """Write what came of attempts; only of deliveries that are still pending."""
    if not settled:
        return
    connection.execute(_SETTLE, [_outcome(one) for one in settled])
    dead = [{"lane": one.lane_id, "this": one.delivery_id} for one in settled if one.state is DeliveryState.DEAD]
    if dead:
        connection.execute(_MARK_GAP, dead)
    gone = [{"lane": one.lane_id} for one in settled if one.closes_lane]
    if gone:
        connection.execute(_CLOSE, gone)
        connection.execute(_GIVE_UP, gone)


def _outcome(one: Settled) -> dict[str, Any]:
    return {
        "this": one.delivery_id,
        "state": one.state.value,
        "attempts": one.attempts,
        "next_at": one.next_at,
        "last_attempt_at": one.at,
        "delivered_at": one.at if one.state is DeliveryState.DELIVERED else None,
        "last_status": one.last_status,
        "last_error": one.last_error,
    }


def _lane(connection: Connection, conference_id: str, project_id: str, endpoint: str) -> tuple[int, bool]:
    """Return the lane's id and whether it is closed; make it if there is none."""
    found = connection.execute(_FIND_LANE, {"of": conference_id, "at": endpoint}).first()
    if found is not None:
        return found.lane_id, found.closed
    made = connection.execute(
        _INSERT_LANE,
        {
            "conference_id": conference_id,
            "project_id": project_id,
            "endpoint": endpoint,
            "closed": False,
            "gap": False,
        },
    )
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0]), False
