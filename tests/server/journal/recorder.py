"""Conferences whose commands are logged in a journal, for tests."""

from typing import Any

from server.conference.commands import Command
from server.conference.model import Conference
from server.journal import Journal
from tests.server.conference.scenario import Scenario, a_join


class Recorded:
    """A scenario that appends what happened after each command."""

    def __init__(
        self, journal: Journal, conference_id: str = "conf-1", name: str = "team", now: float = 1000.0
    ) -> None:
        self.journal = journal
        self.scenario = Scenario(prefix=conference_id)
        self.scenario.now = now
        self._identity = {"conference_id": conference_id, "name": name}

    @property
    def conference(self) -> Conference:
        return self.scenario.conference

    async def do(self, command: Command) -> None:
        logged = len(self.scenario.log)
        self.scenario.do(command)
        await self.journal.append(self.conference, self.scenario.log[logged:])

    async def join(self, call_id: str, **fields: Any) -> None:
        await self.do(a_join(call_id, **self._identity, **fields))
