"""What was logged against what was received: nothing lost, nothing invented, nothing out of order. Pure.

The log is what the API tells of each conference after all is over; what was received is what the receiver processed,
in that order, repetitions included; what was accepted is what clients got a good answer for.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Event = Mapping[str, Any]
Fact = tuple[str, str, str]
"""Conference id, status, call id: an event that must be in the log, as its cause was answered with success."""

_AFTER_THE_END: Final = "record-"
"""What becomes of a recording is known only after its conference ended."""


@dataclass
class Account:
    """The comparison. Each list names what is wrong; all are empty if the promises were kept."""

    conferences: int = 0
    logged: int = 0
    subscribed: int = 0
    """Logged events that callbacks asked for: each must be received."""
    received: int = 0
    """Different events; with the duplicates, all that the receiver processed."""
    duplicates: int = 0
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    """Received with another content than logged."""
    out_of_order: list[str] = field(default_factory=list)
    """Received for the first time after one that is behind it in the log."""
    late_duplicates: list[str] = field(default_factory=list)
    """Received again after one that is behind it: more than the head of a lane was repeated."""
    gaps: list[str] = field(default_factory=list)
    """Conferences whose sequence numbers are not 1, 2, 3 …"""
    without_end: list[str] = field(default_factory=list)
    """Conferences whose log ends with something else than conference-end."""
    forgotten: list[str] = field(default_factory=list)
    """Accepted, and not in the log."""

    def faults(self) -> dict[str, list[str]]:
        """What is wrong, by kind; nothing if all promises were kept."""
        lists = {name: value for name, value in vars(self).items() if isinstance(value, list)}
        return {name: value for name, value in lists.items() if value}


def account(
    logs: Mapping[str, Sequence[Event]],
    arrivals: Sequence[Event],
    statuses: Collection[str],
    accepted: Sequence[Fact] = (),
) -> Account:
    """Compare the logs by conference id with the events received; `statuses` are those that callbacks asked for."""
    result = Account(conferences=len(logs), accepted=len(accepted))
    for conference_id, events in logs.items():
        _check_log(result, conference_id, events)
    wanted = {event["id"]: event for events in logs.values() for event in events if _status(event) in statuses}
    result.subscribed = len(wanted)
    seen = _check_arrivals(result, arrivals, wanted)
    result.received = len(seen)
    result.lost = [event_id for event_id in wanted if event_id not in seen]
    found = Counter(_fact(event) for events in logs.values() for event in events)
    result.forgotten = [" ".join(fact) for fact in (Counter(accepted) - found).elements()]
    return result


def _check_log(result: Account, conference_id: str, events: Sequence[Event]) -> None:
    result.logged += len(events)
    if [event["sequence"] for event in events] != list(range(1, len(events) + 1)):
        result.gaps.append(conference_id)
    last = [_status(event) for event in events if not _status(event).startswith(_AFTER_THE_END)][-1:]
    if last != ["conference-end"]:
        result.without_end.append(conference_id)


def _check_arrivals(result: Account, arrivals: Sequence[Event], wanted: Mapping[str, Event]) -> set[str]:
    """Look at what was received, one after the other; return the ids of the known among them."""
    seen: set[str] = set()
    furthest: dict[str, int] = {}
    for event in arrivals:
        event_id, sequence, conference_id = event["id"], event["sequence"], event["params"]["conference_id"]
        if event_id not in wanted:
            result.unknown.append(event_id)
            continue
        if event != wanted[event_id]:
            result.altered.append(event_id)
        behind = sequence < furthest.get(conference_id, 0)
        if event_id in seen:
            result.duplicates += 1
            result.late_duplicates += [event_id] * behind
        else:
            result.out_of_order += [event_id] * behind
        seen.add(event_id)
        furthest[conference_id] = max(sequence, furthest.get(conference_id, 0))
    return seen


def _status(event: Event) -> str:
    return str(event["params"]["status"])


def _fact(event: Event) -> Fact:
    params = event["params"]
    return params["conference_id"], params["status"], params.get("participant_call_id") or ""
