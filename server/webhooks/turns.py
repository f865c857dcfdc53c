"""Whose turn it is: which lanes may send now, and when the others are due.

Decides how many lanes send at once, in all and to one host, and that hosts take turns. So a host that hangs holds up
its own lanes and nobody else's: it gets its share of the places until requests to it time out, and then next to none
until it answers. Pure.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

MOST_AT_ONCE: Final = 64
MOST_PER_HOST: Final = 16
MOST_PER_HANGING_HOST: Final = 2
_MOST_REMEMBERED: Final = 4096
"""Hosts that are known to hang while nobody asks for them."""


@dataclass(slots=True)
class _Host:
    waiting: deque[int] = field(default_factory=deque)
    under_way: int = 0
    hanging: bool = False
    listed: bool = False
    """It is among those that can be given a place."""

    @property
    def room(self) -> bool:
        return self.under_way < (MOST_PER_HANGING_HOST if self.hanging else MOST_PER_HOST)


class Turns:
    """Places for lanes that send. A lane waits, gets its turn, and gives its place back."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        self._free = most_at_once
        self._hosts: dict[str, _Host] = {}
        self._rota: deque[_Host] = deque()
        self.waiting = 0
        """Lanes without a place."""

    def wait(self, lane_id: int, host: str) -> None:
        """Queue a lane that has something to send to `host`, a name and a port."""
        there = self._hosts.get(host)
        if there is None:
            self._forget_some()
            there = self._hosts[host] = _Host()
        there.waiting.append(lane_id)
        self.waiting += 1
        self._list(there)

    def next(self) -> int | None:
        """Give the lane whose turn it is a place; None: nobody waits whom one could be given."""
        if not self._free or not self._rota:
            return None
        host = self._rota.popleft()
        host.listed = False
        lane_id = host.waiting.popleft()
        self._free -= 1
        self.waiting -= 1
        host.under_way += 1
        self._list(host)
        return lane_id

    def leave(self, host: str) -> None:
        """Give the place of a lane of `host` back."""
        there = self._hosts[host]
        self._free += 1
        there.under_way -= 1
        self._list(there)
        if not (there.under_way or there.waiting or there.hanging):
            del self._hosts[host]

    def answers(self, host: str, *, in_time: bool) -> None:
        """Take note of whether a lane's host, which has its place, let it wait in vain."""
        there = self._hosts[host]
        there.hanging = not in_time
        self._list(there)

    def _list(self, host: _Host) -> None:
        if host.waiting and host.room and not host.listed:
            host.listed = True
            self._rota.append(host)
        elif host.listed and not host.room:
            host.listed = False
            self._rota.remove(host)

    def _forget_some(self) -> None:
        if len(self._hosts) >= _MOST_REMEMBERED:
            busy = {name: host for name, host in self._hosts.items() if host.under_way or host.waiting}
            self._hosts = busy


class Due:
    """Lanes that wait for a time (Unix seconds)."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, lane_id: int, at: float) -> None:
        """Let a lane be due at a time, and at no other."""
        if self._at.get(lane_id) != at:
            self._at[lane_id] = at
            heapq.heappush(self._heap, (at, lane_id))
            # What was moved leaves its old entry behind.
            if len(self._heap) > 2 * len(self._at) + 64:
                self._rebuild()

    def update(self, lanes: Iterable[tuple[int, float]]) -> None:
        """Set many at once."""
        self._at.update(lanes)
        self._rebuild()

    def drop(self, lane_id: int) -> None:
        """Let a lane be due at no time."""
        self._at.pop(lane_id, None)

    def take(self, now: float) -> list[int]:
        """Return the lanes that are due, those due first before the others; they wait no longer."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            at, lane_id = heapq.heappop(self._heap)
            if self._at.get(lane_id) == at:
                del self._at[lane_id]
                due.append(lane_id)
        return due

    def next_at(self) -> float | None:
        """Return when the next lane is due."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _rebuild(self) -> None:
        self._heap = [(at, lane_id) for lane_id, at in self._at.items()]
        heapq.heapify(self._heap)
