"""Use cases of events that happened: following them live, seeing what became of deliveries, having them sent again.

A project follows, sees and repeats its own events only. What is written of an event is decided by `service_steps`, how
and when deliveries are sent by the sender.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from server.conference.callbacks import Callback
from server.conference.model import Conference
from server.errors import ParleyError, invalid
from server.journal import Journal, JournalUnavailable
from server.live_events import EVERYTHING, Json, Only, Reader
from server.service_context import Context
from server.service_history import conference_id_of, find_conference
from server.webhooks.model import DeliveryKind, DeliveryRecord, DeliveryState, NewDelivery
from server.webhooks.plan import has_callback, plan

MOST_REPLAYED: Final = 10_000
"""Events of one request."""
FROM_THE_FIRST: Final = "0"
"""In place of an event id: everything that is kept."""
_PORTION: Final = 500
"""Events read and queued at once: what happens meanwhile has to be written between two portions."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Events of a project from some point on."""

    gap: bool
    """Events between the last one the client knows and the first of the feed may be missing."""
    after: str
    """Id of the event before the first of the feed: with it, who has seen none yet can resume."""
    batches: AsyncGenerator[list[Json]]
    """As `Reader.batches` gives them."""


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Which deliveries a list is to hold: None is any."""

    conference_id: str | None = None
    state: DeliveryState | None = None
    limit: int = 100
    before: int | None = None
    """Id of the last delivery of the page before."""


@dataclass(frozen=True, slots=True)
class Again:
    """Which events are to be sent again, and where."""

    after: int
    """Sequence number; events above it."""
    until: int | None = None
    """The last sequence number; None: the last there is."""
    url: str | None = None
    """Told of all of them, as JSON. None: the conference's callbacks are, each of what it asked for."""


async def feed(context: Context, project_id: str, last_event_id: str | None, only: Only = EVERYTHING) -> Feed:
    """Return the events after one that the client knows; without one, those from now on.

    An event that is not known here (any more) leads to a gap: the feed begins with the oldest one kept.
    """
    context.check_ready()
    try:
        place = await _place(context.journal, project_id, last_event_id)
    except JournalUnavailable as error:
        raise _unreadable() from error
    position, after = place or (0, FROM_THE_FIRST)
    reader = Reader(context.journal, context.bell, context.clock.monotonic)
    return Feed(gap=place is None, after=after, batches=reader.batches(project_id, position, only))


async def _place(journal: Journal, project_id: str, last_event_id: str | None) -> tuple[int, str] | None:
    """Return the position and the id of the event to begin after; None if it is not known."""
    if last_event_id is None:
        return await journal.newest_event(project_id) or (0, FROM_THE_FIRST)
    if last_event_id == FROM_THE_FIRST:
        return 0, FROM_THE_FIRST
    position = await journal.position_of(last_event_id, project_id)
    return None if position is None else (position, last_event_id)


async def list_deliveries(context: Context, project_id: str, page: DeliveryPage) -> list[DeliveryRecord]:
    """Return deliveries, the newest first."""
    conference_id = conference_id_of(context, project_id, page.conference_id)
    try:
        return await context.journal.list_deliveries(
            project_id, conference_id=conference_id, state=page.state, limit=page.limit, before=page.before
        )
    except JournalUnavailable as error:
        raise _unreadable() from error


async def replay(context: Context, project_id: str, reference: str, again: Again) -> int:
    """Have logged events of a conference delivered again; return how many deliveries that makes."""
    context.check_ready()
    if again.url is not None:
        await context.check_callback("url", Callback(again.url, events=()))
    conference = await find_conference(context, project_id, reference)
    if again.url is None and not has_callback(conference.settings):
        raise ParleyError(
            "no_callback", f"the conference {reference!r} has no callback to repeat events to; give a url"
        )
    until = conference.sequence if again.until is None else min(again.until, conference.sequence)
    if until - again.after > MOST_REPLAYED:
        raise invalid(
            "after",
            f"{until - again.after} events follow, at most {MOST_REPLAYED} are sent again at once; "
            f"give until: {again.after + MOST_REPLAYED}, and take that as the next after",
        )
    made, after = 0, again.after
    try:
        while after < until:
            wires = await context.journal.events(conference.conference_id, after, min(_PORTION, until - after))
            if not wires:
                break
            made += await _queue(context, conference, again.url, wires)
            after = wires[-1]["sequence"]
    except JournalUnavailable as error:
        raise ParleyError("journal_unavailable", f"of the events to be sent again {made} are queued now") from error
    except LookupError as error:
        raise ParleyError("not_found", f"the events of the conference {reference!r} are no longer kept") from error
    return made


async def _queue(context: Context, conference: Conference, url: str | None, wires: Sequence[dict[str, Any]]) -> int:
    """Have events delivered again; return how many deliveries that makes."""
    deliveries = _to_url(url, wires) if url else _to_callbacks(conference, wires)
    if deliveries:
        lane_ids = await context.journal.add_deliveries(conference.conference_id, deliveries, context.clock.now())
        context.webhooks.notify(lane_ids)
    return len(deliveries)


def _to_url(url: str, wires: Sequence[dict[str, Any]]) -> list[NewDelivery]:
    return [NewDelivery(wire["id"], DeliveryKind.REPLAY, url, "POST", "relay") for wire in wires]


def _to_callbacks(conference: Conference, wires: Sequence[dict[str, Any]]) -> list[NewDelivery]:
    return [replace(delivery, kind=DeliveryKind.REPLAY) for delivery in plan(conference.settings, wires)]


def _unreadable() -> ParleyError:
    return ParleyError("journal_unavailable", "the log cannot be read now")
