"""Whose turn it is: which lanes may send now, and when the others are due.

Decides how many lanes send at once, in all, to one server and to one endpoint of it, and that servers take turns, and
endpoints of a server. What hangs, a server or one path of it, holds up its own lanes and nobody else's: it gets its
share of the places until requests to it time out, and then next to none until it answers. Some places of a server are
only for endpoints that have answered. Pure.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

MOST_AT_ONCE: Final = 96
MOST_PER_HOST: Final = 24
MOST_UNPROVEN_PER_HOST: Final = 16
"""To endpoints of a host whose last answer was not in time, or that have not been asked yet."""
MOST_PER_HANGING_HOST: Final = 2
_MOST_REMEMBERED: Final = 4096
"""Endpoints of which is known whether they answer, while nobody asks for them."""


class Endpoint(NamedTuple):
    """Who is asked. Lanes with the same one are told of other conferences."""

    host: str
    """Name and port."""
    path: str


class _Known(Enum):
    NOTHING = auto()
    ANSWERS = auto()
    HANGS = auto()


_MOST_PER_ENDPOINT: Final = {_Known.NOTHING: 8, _Known.ANSWERS: 16, _Known.HANGS: 2}


@dataclass(slots=True, eq=False)
class _Host:
    under_way: int = 0
    unproven: int = 0
    """Those under way to endpoints that are not known to answer."""
    answering: int = 0
    """Endpoints that are known to answer."""
    hangs: bool = False
    """Its last answer was not in time."""
    proven_rota: "deque[_Path]" = field(default_factory=deque)
    unproven_rota: "deque[_Path]" = field(default_factory=deque)
    """Endpoints that wait and may have a place if the host has one."""
    proven_next: bool = True
    listed: bool = False
    """It is among those that can be given a place."""

    def rota(self) -> "deque[_Path] | None":
        """Among whom the next place goes; None: there is no room, or nobody waits."""
        if self.under_way >= MOST_PER_HOST:
            return None
        most = MOST_PER_HANGING_HOST if self.hangs and not self.answering else MOST_UNPROVEN_PER_HOST
        unproven = self.unproven_rota if self.unproven < most else None
        return ((self.proven_rota or unproven) if self.proven_next else (unproven or self.proven_rota)) or None


@dataclass(slots=True, eq=False)
class _Path:
    """An endpoint, among those of its host."""

    host: _Host
    waiting: deque[int] = field(default_factory=deque)
    under_way: int = 0
    known: _Known = _Known.NOTHING
    listed: bool = False

    @property
    def proven(self) -> bool:
        return self.known is _Known.ANSWERS

    @property
    def rota(self) -> "deque[_Path]":
        return self.host.proven_rota if self.proven else self.host.unproven_rota


class Turns:
    """Places for lanes that send. A lane waits, gets its turn, and gives its place back."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        self._free = most_at_once
        self._hosts: dict[str, _Host] = {}
        self._paths: dict[Endpoint, _Path] = {}
        self._rota: deque[_Host] = deque()
        self.waiting = 0
        """Lanes without a place."""

    def wait(self, lane_id: int, endpoint: Endpoint) -> None:
        """Queue a lane that has something to send."""
        there = self._paths.get(endpoint)
        if there is None:
            self._forget_some()
            there = self._paths[endpoint] = _Path(self._hosts.setdefault(endpoint.host, _Host()))
        there.waiting.append(lane_id)
        self.waiting += 1
        self._list(there)

    def next(self) -> int | None:
        """Give the lane whose turn it is a place; None: nobody waits whom one could be given."""
        if not self._free or not self._rota:
            return None
        host = self._rota.popleft()
        host.listed = False
        rota = host.rota()
        assert rota is not None
        path = rota.popleft()
        path.listed = False
        host.proven_next = not path.proven
        lane_id = path.waiting.popleft()
        self._free -= 1
        self.waiting -= 1
        self._count(path, 1)
        self._list(path)
        return lane_id

    def leave(self, endpoint: Endpoint) -> None:
        """Give the place of a lane back."""
        there = self._paths[endpoint]
        self._free += 1
        self._count(there, -1)
        self._list(there)

    def answers(self, endpoint: Endpoint, *, in_time: bool) -> None:
        """Take note of whether the endpoint of a lane, which has its place, let it wait in vain."""
        there = self._paths[endpoint]
        known = _Known.ANSWERS if in_time else _Known.HANGS
        there.host.hangs = not in_time
        if known is not there.known:
            self._unlist(there)
            held = there.under_way
            self._count(there, -held)
            there.host.answering += (known is _Known.ANSWERS) - there.proven
            there.known = known
            self._count(there, held)
        self._list(there)

    @staticmethod
    def _count(path: _Path, places: int) -> None:
        path.under_way += places
        path.host.under_way += places
        if not path.proven:
            path.host.unproven += places

    def _list(self, path: _Path) -> None:
        room = path.under_way < _MOST_PER_ENDPOINT[path.known]
        if path.waiting and room and not path.listed:
            path.listed = True
            path.rota.append(path)
        elif path.listed and not room:
            self._unlist(path)
        host = path.host
        can = host.rota() is not None
        if can and not host.listed:
            self._rota.append(host)
        elif host.listed and not can:
            self._rota.remove(host)
        host.listed = can

    @staticmethod
    def _unlist(path: _Path) -> None:
        if path.listed:
            path.listed = False
            path.rota.remove(path)

    def _forget_some(self) -> None:
        """Forget all endpoints that are not asked now, once they are many."""
        if len(self._paths) >= _MOST_REMEMBERED:
            self._paths = {name: path for name, path in self._paths.items() if path.under_way or path.waiting}
            self._hosts = {name.host: path.host for name, path in self._paths.items()}
            for host in self._hosts.values():
                host.answering = 0
            for path in self._paths.values():
                path.host.answering += path.proven


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
