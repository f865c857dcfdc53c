"""A conference driven by commands, for tests: it decides, evolves and keeps what happened."""

import itertools
from collections.abc import Sequence
from typing import Any

from server.conference.beeps import Beep, beeps
from server.conference.commands import Announce, Command, Join
from server.conference.decide import decide
from server.conference.directives import LegDirective, legs
from server.conference.events import AnnouncementStarted, Event
from server.conference.log import LoggedEvent, enact
from server.conference.model import Conference, Participant
from server.conference.wire import Origin

ORIGIN = Origin(node_id="node-1", space_id="space-1")


def a_join(call_id: str, **fields: Any) -> Join:
    return Join(**{"conference_id": "conf-1", "name": "team", "project_id": "key-1", "call_id": call_id} | fields)


class Scenario:
    """Time starts at 1000 s and each command takes one second; events are `<prefix>-1`, `<prefix>-2`, ..."""

    def __init__(self, prefix: str = "event") -> None:
        numbers = itertools.count(1)
        self._next_id = lambda: f"{prefix}-{next(numbers)}"
        self.current: Conference | None = None
        self.log: list[LoggedEvent] = []
        self.happened: list[Event] = []
        """All events, those that are not logged included."""
        self.beeps: list[Beep] = []
        """Those of the last command."""
        self.now = 1000.0

    @property
    def conference(self) -> Conference:
        assert self.current is not None
        return self.current

    def do(self, command: Command) -> list[str]:
        """Carry out a command; return the statuses of what happened."""
        return [event.status or "(silent)" for event in self.events(command)]

    def events(self, command: Command) -> Sequence[Event]:
        decided = decide(self.current, command, self.now)
        self.now += 1.0
        if decided:
            self.current, entries = enact(self.current, decided, self._next_id, ORIGIN)
            self.log += entries
        self.happened += decided
        self.beeps = beeps(decided, self.current) if self.current else []
        return decided

    def join(self, call_id: str, **fields: Any) -> list[str]:
        return self.do(a_join(call_id, **fields))

    def announce(self, announcement_id: str, call_id: str | None = None) -> list[str]:
        return self.do(Announce(announcement_id, f"https://example.org/{announcement_id}", call_id))

    def begun(self) -> list[str]:
        """The announcements whose turn has come, in that order."""
        return [e.announcement.announcement_id for e in self.happened if isinstance(e, AnnouncementStarted)]

    def params(self) -> dict[str, Any]:
        """Those of the last event logged."""
        params: dict[str, Any] = self.log[-1].wire["params"]
        return params

    def participant(self, call_id: str) -> Participant:
        return self.conference.participants[call_id]

    def leg(self, call_id: str) -> LegDirective:
        return legs(self.conference)[call_id]

    def hears(self, listener: str, talker: str) -> bool:
        """Whether `listener` is to be sent what `talker` says."""
        directives = legs(self.conference)
        if listener == talker or not {listener, talker} <= directives.keys():
            return False
        said = directives[talker]
        reaches = said.heard and (said.heard_by is None or listener in said.heard_by)
        return directives[listener].hears and reaches

    def heard(self) -> dict[str, str]:
        """Who hears whom: talkers by listener, as in {"a": "bc", "b": "a"}; calls are single letters."""
        calls = [p.call_id for p in self.conference.present]
        return {a: "".join(b for b in calls if self.hears(a, b)) for a in calls}

    def logged(self) -> list[tuple[str, str | None]]:
        """(status, call id) of all that was logged."""
        return [(entry.wire["params"]["status"], entry.wire["params"].get("call_id")) for entry in self.log]


def started(*call_ids: str, **fields: Any) -> Scenario:
    """Return a conference in progress that these calls joined."""
    scenario = Scenario()
    for call_id in call_ids:
        scenario.join(call_id, **fields)
    return scenario
