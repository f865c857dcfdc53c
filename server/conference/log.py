"""From events decided to entries of the log: the step between `decide` and the journal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from server.conference.events import Event
from server.conference.evolve import evolve
from server.conference.model import Conference
from server.conference.wire import Origin, event_json


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One entry of a conference's log: the event as we fold it and as users read it."""

    event_id: str
    sequence: int
    event: Event
    wire: dict[str, Any]


def enact(
    conference: Conference | None, events: Sequence[Event], new_id: Callable[[], str], origin: Origin
) -> tuple[Conference, list[LoggedEvent]]:
    """Apply decided events in order; return the conference after them and the entries to log first.

    `new_id` is called once for each entry. Raises `ValueError` if there is neither a conference nor an event.
    """
    entries: list[LoggedEvent] = []
    for event in events:
        conference = evolve(conference, event)
        if event.logged:
            event_id = new_id()
            wire = event_json(conference, event, event_id, origin)
            entries.append(LoggedEvent(event_id, conference.sequence, event, wire))
    if conference is None:
        raise ValueError("no conference and nothing that would make one")
    return conference, entries
