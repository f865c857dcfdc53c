"""How a load comes in: a few joins at a time, so that those who are in talk while others come.

What a join is, is the caller's affair: one request to a Parley server (`Calls`), or whatever another server wants.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Protocol

from server import clock
from server.caller.client import ParleyClient
from server.caller.errors import CallerError
from server.loadtest.load import Load

JOINS_IN_FLIGHT: Final = 4
JOINS_AT_ONCE: Final = 50
HANG_UPS_IN_FLIGHT: Final = 4


@dataclass(frozen=True, slots=True)
class Seat:
    """What a caller got for its join."""

    conference_id: str
    call_id: str
    target: tuple[str, int]
    """Where it sends its packets."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A seat, and how long the join took."""

    seat: Seat
    took_s: float


class Talks(Protocol):
    """The load generator, as far as joining needs it."""

    def add(self, targets: list[tuple[str, int]]) -> None:
        """Let the next callers send."""
        ...


def join_all(
    load: Load, generator: Talks, join: Callable[[int], Seat], in_flight: int = JOINS_IN_FLIGHT
) -> Iterator[list[Joined]]:
    """Join everyone by `join(caller's number)`; yields group by group, in order.

    `in_flight` threads call it at once, but for the first, which creates the conference. What `join` raises is raised
    here, when no join is under way any more.
    """

    def timed(caller: int) -> Joined:
        from_s = clock.monotonic()
        seat = join(caller)
        return Joined(seat, clock.monotonic() - from_s)

    pool = ThreadPoolExecutor(in_flight, "join")
    try:
        for start, end in _groups(load.participants):
            joined = list(pool.map(timed, range(start, end)))
            generator.add([one.seat.target for one in joined])
            yield joined
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _groups(callers: int) -> Iterator[tuple[int, int]]:
    yield 0, 1
    for start in range(1, callers, JOINS_AT_ONCE):
        yield start, min(start + JOINS_AT_ONCE, callers)


class Calls:
    """Calls on a Parley server, each made by one request that joins it to its conference.

    Args:
        client: of the server.
        load: whom to join.
        name: of the conference; several are numbered.
        addresses: where each caller wants its packets.
    """

    def __init__(self, client: ParleyClient, load: Load, name: str, addresses: list[tuple[str, int]]) -> None:
        self._client = client
        self._load = load
        self._name = name
        self._addresses = addresses
        self._lock = threading.Lock()
        self._call_ids: list[str] = []

    def join(self, caller: int) -> Seat:
        """Join one caller.

        Raises:
            CallerError: the server refused, or answered with something that cannot be used.
        """
        ip, port = self._addresses[caller]
        name = self._name
        if self._load.conferences > 1:
            name = f"{name}-{self._load.conference_of(caller) + 1}"
        joined = self._client.join(name, {"rtp": {"ip": ip, "port": port, "codec": self._load.codec}})
        with self._lock:
            self._call_ids.append(joined.call_id)
        try:
            rtp = joined.answer["rtp"]
            target = str(rtp["ip"]), int(rtp["port"])
        except (KeyError, TypeError, ValueError) as error:
            raise CallerError(f"The server's answer makes no sense: {joined.answer!r}.") from error
        return Seat(joined.conference_id, joined.call_id, target)

    def hang_up(self) -> int:
        """End all of these calls, and only these; returns how many the server could not be told of."""
        with self._lock:
            call_ids, self._call_ids = self._call_ids, []
        if not call_ids:
            return 0
        with ThreadPoolExecutor(HANG_UPS_IN_FLIGHT, "hang-up") as pool:
            return sum(pool.map(self._not_hung_up, call_ids))

    def _not_hung_up(self, call_id: str) -> bool:
        try:
            self._client.hang_up(call_id)
        except CallerError:
            return True
        return False
