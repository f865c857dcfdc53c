"""Time that passes only when nobody has anything to do, and a store and a network to script."""

import asyncio
import selectors
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from server.journal.errors import JournalUnavailable
from server.urls.allowance import Allowance
from server.urls.check import CheckedUrl
from server.urls.errors import FetchError
from server.webhooks.model import Delivery, DeliveryState, LaneDue, Settled
from server.webhooks.sender import Sender
from tests.server.webhooks.examples import AT

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the time on."""

    elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for ever"
        self.elapsed_s += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which a day takes a moment."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.elapsed_s


def virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class LoopClock:
    """The clock of the running loop."""

    def now(self) -> float:
        return AT + asyncio.get_running_loop().time()


@dataclass
class FakeOutbox:
    """Deliveries in memory, with the rules of the real one."""

    lanes: dict[int, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    settled: list[Settled] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    gaps: set[int] = field(default_factory=set)
    broken: bool = False
    most_loaded: int = 0
    reads: int = 0
    commits: int = 0
    commit_s: float = 0.0

    def put(self, delivery: Delivery) -> int:
        if delivery.lane_id not in self.closed:
            self.lanes[delivery.lane_id].append(delivery)
        return delivery.lane_id

    @property
    def pending(self) -> list[Delivery]:
        return [delivery for lane in self.lanes.values() for delivery in lane]

    def states(self) -> list[tuple[int, str, str | None]]:
        """What was settled, in order: delivery, state, error."""
        return [(one.delivery_id, one.state.value, one.last_error) for one in self.settled]

    async def lanes_due(self) -> list[LaneDue]:
        self._check()
        return [LaneDue(lane_id, lane[0].next_at) for lane_id, lane in self.lanes.items() if lane]

    async def heads(self, lane_ids: Sequence[int], most_each: int) -> dict[int, list[Delivery]]:
        await asyncio.sleep(0)
        self._check()
        self.reads += 1
        found = {
            lane_id: [replace(one, gap=lane_id in self.gaps) for one in self.lanes[lane_id][:most_each]]
            for lane_id in lane_ids
            if self.lanes[lane_id]
        }
        self.most_loaded = max(self.most_loaded, sum(map(len, found.values())))
        return found

    async def settle(self, settled: Sequence[Settled]) -> None:
        await asyncio.sleep(self.commit_s)
        self._check()
        self.commits += 1
        for one in settled:
            self.settled.append(one)
            lane = self.lanes[one.lane_id]
            assert lane[0].delivery_id == one.delivery_id, "not the head of its lane"
            head = lane.pop(0)
            if one.state is DeliveryState.PENDING:
                assert one.next_at is not None
                lane.insert(0, replace(head, attempts=one.attempts, next_at=one.next_at))
            elif one.state is DeliveryState.DEAD:
                self.gaps.add(one.lane_id)
            if one.closes_lane:
                lane.clear()
                self.closed.add(one.lane_id)

    def _check(self) -> None:
        if self.broken:
            raise JournalUnavailable("the disk is full")


@dataclass
class FakeAnswer:
    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Awaitable[bytes]] | None = None

    async def read_start(self, max_bytes: int, within_s: float) -> bytes:
        try:
            async with asyncio.timeout(within_s):
                return b"" if self.body is None else await self.body()
        except TimeoutError:
            raise FetchError("timeout", "the body is late") from None


@dataclass
class Sent:
    """A request as the network saw it."""

    at: float
    """Seconds since the beginning."""
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    limits: Any


Script = Callable[[Sent], Awaitable[FakeAnswer] | FakeAnswer]


class FakeClient:
    """A network that answers as told."""

    def __init__(self, script: Script | None = None) -> None:
        self.allowance = Allowance(everything=True)
        self.script: Script = script or (lambda sent: FakeAnswer())
        self.sent: list[Sent] = []
        self.under_way = 0
        self.most_under_way = 0

    @asynccontextmanager
    async def fetch(
        self, method: str, url: CheckedUrl, *, headers: Mapping[str, str], content: bytes | None, limits: Any
    ) -> AsyncIterator[FakeAnswer]:
        sent = Sent(asyncio.get_running_loop().time(), url.url.partition("?")[0], headers, content, limits)
        self.sent.append(sent)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            answer = self.script(sent)
            yield answer if isinstance(answer, FakeAnswer) else await answer
        finally:
            self.under_way -= 1

    def ids(self) -> list[str]:
        return [sent.headers["webhook-id"] for sent in self.sent]

    def times(self) -> list[float]:
        return [round(sent.at, 3) for sent in self.sent]


def sender(outbox: FakeOutbox, client: FakeClient, **options: Any) -> Sender:
    return Sender(outbox, client, LoopClock(), secret="a secret of the tests", chance=lambda: 0.5, **options)
