"""The calls the server knows: those that are up, and the latest that ended, so that one can still ask why.

Each call has a lock; whoever moves a call between mixers or ends it holds that lock. A project sees its own calls
only, and another project's call is as unknown as one that never was.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from server.calls.model import Call, CallState
from server.errors import ParleyError

KEPT_ENDED: Final = 1000
"""How many ended calls can still be asked for."""


class Calls:
    """A registry of calls by id."""

    def __init__(self) -> None:
        self._up: dict[str, Call] = {}
        self._ended: OrderedDict[str, Call] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._up)

    def add(self, call: Call) -> None:
        """Know a call from now on."""
        self._up[call.call_id] = call
        self._locks[call.call_id] = asyncio.Lock()

    def forget(self, call: Call) -> None:
        """Drop a call that never came up."""
        self._up.pop(call.call_id, None)
        self._locks.pop(call.call_id, None)

    def end(self, call: Call, reason: str, now: float) -> None:
        """Mark a call as over; it stays readable for a while."""
        call.state, call.reason_ended, call.ended_at = CallState.ENDED, reason, now
        call.conference_id = call.conference_name = call.media_socket = None
        self.forget(call)
        self._ended[call.call_id] = call
        while len(self._ended) > KEPT_ENDED:
            self._ended.popitem(last=False)

    def lock(self, call: Call) -> asyncio.Lock:
        """Return the lock of a call that is up; a fresh one for a call that is over."""
        return self._locks.get(call.call_id) or asyncio.Lock()

    def find(self, call_id: str) -> Call | None:
        """Return a call that is up."""
        return self._up.get(call_id)

    def get(self, project_id: str, call_id: str) -> Call:
        """Return a call, ended or not; raise `ParleyError` (not_found)."""
        call = self._up.get(call_id) or self._ended.get(call_id)
        if call is None or call.project_id != project_id:
            raise ParleyError("not_found", f"there is no call {call_id!r}")
        return call

    def of_project(self, project_id: str, *, ended: bool = False) -> list[Call]:
        """Return a project's calls, oldest first; with `ended`, those that are over too."""
        known = [*self._ended.values(), *self._up.values()] if ended else list(self._up.values())
        return sorted((call for call in known if call.project_id == project_id), key=lambda call: call.created_at)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._up.values()))
