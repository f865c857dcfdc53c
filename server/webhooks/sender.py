"""Sending what waits in the outbox.

Decides the order of things in a lane: a delivery is sent only after the outcome of the one before it is committed, so
a crash repeats at most the head of each lane, and skips nothing. Which lanes send at once is decided in `turns`, when a
failed delivery is tried again in `schedule`, what a request looks like in `envelope`. Nothing polls: what waits is
known from the start, from those who write to the outbox, and from failures.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import structlog

from server.tasks import Tasks
from server.urls.check import safe_url
from server.webhooks.attempt import Attempts, Client, endpoint_of
from server.webhooks.batching import Batcher, persistently
from server.webhooks.model import Delivery, DeliveryState, Outbox, Settled
from server.webhooks.outcome import Outcome
from server.webhooks.schedule import DEFAULT_SCHEDULE_S, next_attempt_at
from server.webhooks.sign import Signer
from server.webhooks.turns import Due, Endpoint, Turns

log = structlog.get_logger(__name__)

GRACE_S: Final = 3.0
_LOADED_AT_ONCE: Final = 16
"""Deliveries of a lane in memory; also how many it sends before others that wait for its place have a turn."""
_PLACED_AT_ONCE: Final = 64
_MOST_SETTLED: Final = 256
_MOST_KNOWN: Final = 8192
_AFTER_A_MISTAKE_S: Final = 30.0
_LONGEST_TIMER_S: Final = 3600.0
"""A clock that is set is noticed after so long."""
_TIMEOUTS: Final = frozenset({"connect_timeout", "read_timeout", "total_timeout"})


class Clock(Protocol):
    """The module `server.clock`, or one that tests wind by hand."""

    def now(self) -> float:
        """Unix seconds."""


@dataclass(slots=True)
class Counters:
    """What the sender has done since it started."""

    delivered: int = 0
    failed: int = 0
    """Attempts, not deliveries."""
    dead: int = 0
    """Deliveries that were given up."""


@dataclass(slots=True)
class _Lane:
    """A lane that waits for its turn, or sends."""

    lane_id: int
    endpoint: Endpoint | None = None
    """Known once it was looked at what waits in it."""
    again: bool = False
    """There may be more in it than was seen when it was last looked at."""


class Sender:
    """Delivers what is in the outbox; lives on one event loop. `start` comes first, `stop` last."""

    def __init__(
        self,
        outbox: Outbox,
        client: Client,
        clock: Clock,
        *,
        secret: str,
        waits_s: Sequence[float] = DEFAULT_SCHEDULE_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`secret` signs; `waits_s` are the seconds between attempts (`schedule.waits_of`); `chance` spreads them."""
        self.counters = Counters()
        self._outbox = outbox
        self._clock = clock
        self._waits_s = waits_s
        self._chance = chance
        self._tasks = Tasks(apart=True)
        self._attempts = Attempts(client, Signer(secret), clock.now)
        self._heads = Batcher(self._load, self._tasks, "webhook-heads", _PLACED_AT_ONCE)
        self._settle = Batcher(self._commit, self._tasks, "webhook-outcomes", _MOST_SETTLED)
        self._turns = Turns()
        self._due = Due()
        self._active: dict[int, _Lane] = {}
        self._unplaced: deque[_Lane] = deque()
        """Those of the active lanes whose endpoint is not known."""
        self._endpoints: dict[int, Endpoint] = {}
        """Of lanes that were active lately."""
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._placing = False
        self._idle = asyncio.Event()

    @property
    def sent_bytes(self) -> int:
        """Bytes of all bodies sent."""
        return self._attempts.sent_bytes

    @property
    def backlog(self) -> int:
        """Lanes that have, or may have, something to send now."""
        return len(self._active)

    @property
    def failing(self) -> int:
        """Lanes that wait for the time of their next attempt."""
        return len(self._due)

    def start(self) -> None:
        """Begin to send, and to find out what waits."""
        self._running = True
        self._tasks.spawn(self._begin(), "webhook-begin")

    def notify(self, lane_ids: Iterable[int]) -> None:
        """Say that deliveries of these lanes were committed, or are due sooner than they were."""
        if not self._running:
            return
        for lane_id in lane_ids:
            self._activate(lane_id)
        self._pump()

    async def stop(self, grace_s: float = GRACE_S) -> None:
        """Send what is due if that takes no longer than `grace_s`, and cut the rest: it is sent after a restart."""
        if self._running:
            self._running = False
            if self._timer is not None:
                self._timer.cancel()
            self._note_idle()
            try:
                async with asyncio.timeout(grace_s):
                    await self._idle.wait()
            except TimeoutError:
                log.info("webhooks are left for the next start", lanes=len(self._active))
        await self._tasks.cancel_all()

    async def _begin(self) -> None:
        lanes = await persistently(self._outbox.lanes_due)
        self._due.update((lane.lane_id, lane.next_at) for lane in lanes if lane.lane_id not in self._active)
        self._pump()

    def _activate(self, lane_id: int) -> None:
        if (lane := self._active.get(lane_id)) is not None:
            lane.again = True
            return
        self._idle.clear()
        self._due.drop(lane_id)
        lane = self._active[lane_id] = _Lane(lane_id, self._endpoints.get(lane_id))
        if lane.endpoint:
            self._turns.wait(lane_id, lane.endpoint)
        else:
            self._unplaced.append(lane)

    def _deactivate(self, lane: _Lane, due_at: float | None) -> None:
        """Let a lane rest until `due_at`, or until there is something in it."""
        del self._active[lane.lane_id]
        if lane.again or (due_at is not None and due_at <= self._clock.now()):
            self._activate(lane.lane_id)
        elif due_at is not None:
            self._due.set(lane.lane_id, due_at)
        self._note_idle()

    def _note_idle(self) -> None:
        if not self._active:
            self._idle.set()

    def _pump(self) -> None:
        """Start whatever can be started, and see to it that somebody calls again when the next lane is due."""
        if self._running:
            for lane_id in self._due.take(self._clock.now()):
                self._activate(lane_id)
        while (lane_id_next := self._turns.next()) is not None:
            self._tasks.spawn(self._take_turn(self._active[lane_id_next]), f"webhook-lane-{lane_id_next}")
        if self._unplaced and not self._placing:
            self._placing = True
            self._tasks.spawn(self._place(), "webhook-places")
        if self._running:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        next_at = self._due.next_at()
        if next_at is not None:
            in_s = min(max(0.0, next_at - self._clock.now()), _LONGEST_TIMER_S)
            self._timer = asyncio.get_running_loop().call_later(in_s, self._pump)

    async def _place(self) -> None:
        """Find out to which endpoints lanes lead, a batch at a time: what waits in them stays in the outbox."""
        try:
            while self._unplaced:
                lanes = [self._unplaced.popleft() for _ in range(min(_PLACED_AT_ONCE, len(self._unplaced)))]
                lane_ids = [lane.lane_id for lane in lanes]
                heads = await persistently(partial(self._outbox.heads, lane_ids, 1))
                for lane in lanes:
                    self._put(lane, heads.get(lane.lane_id))
                self._pump()
        finally:
            self._placing = False

    def _put(self, lane: _Lane, heads: Sequence[Delivery] | None) -> None:
        if not heads:
            self._deactivate(lane, None)
        elif heads[0].next_at > self._clock.now():
            self._deactivate(lane, heads[0].next_at)
        else:
            lane.endpoint = endpoint_of(heads[0].url)
            if len(self._endpoints) >= _MOST_KNOWN:
                del self._endpoints[next(iter(self._endpoints))]
            self._endpoints[lane.lane_id] = lane.endpoint
            self._turns.wait(lane.lane_id, lane.endpoint)

    async def _take_turn(self, lane: _Lane) -> None:
        endpoint = lane.endpoint
        assert endpoint is not None, "it has waited for its turn there"
        try:
            due_at = await self._send_some(lane, endpoint)
        except Exception:
            log.exception("a lane of webhooks has to wait", lane_id=lane.lane_id)
            due_at = self._clock.now() + _AFTER_A_MISTAKE_S
        finally:
            self._turns.leave(endpoint)
        self._deactivate(lane, due_at)
        self._pump()

    async def _send_some(self, lane: _Lane, endpoint: Endpoint) -> float | None:
        """Send the first deliveries of a lane in order; return when the next is due, None: there is none."""
        lane.again = False
        deliveries = await self._heads.ask(lane.lane_id)
        for delivery in deliveries:
            if delivery.next_at > self._clock.now():
                return delivery.next_at
            settled = await self._deliver(delivery, endpoint)
            if settled.state is not DeliveryState.DELIVERED:
                # What was loaded does not know of the gap, or that its lane is closed.
                return settled.at if settled.next_at is None else settled.next_at
        return self._clock.now() if len(deliveries) == _LOADED_AT_ONCE else None

    async def _deliver(self, delivery: Delivery, endpoint: Endpoint) -> Settled:
        """Make an attempt, and return what was committed about it."""
        outcome = await self._attempts.make(delivery)
        self._turns.answers(endpoint, in_time=outcome.error not in _TIMEOUTS)
        settled = self._judge(delivery, outcome)
        await self._settle.ask(settled)
        if settled.state is DeliveryState.DELIVERED:
            self.counters.delivered += 1
        else:
            self._report(delivery, settled)
        return settled

    def _judge(self, delivery: Delivery, outcome: Outcome) -> Settled:
        now, attempts = self._clock.now(), delivery.attempts + 1
        state, next_at = DeliveryState.DELIVERED, None
        if outcome.error is not None:
            overrides = self._attempts.overrides(delivery.url)
            next_at = next_attempt_at(attempts, outcome, self._waits_s, overrides, chance=self._chance(), now=now)
            state = DeliveryState.DEAD if next_at is None else DeliveryState.PENDING
        return Settled(
            delivery_id=delivery.delivery_id,
            lane_id=delivery.lane_id,
            state=state,
            attempts=attempts,
            at=now,
            next_at=next_at,
            last_status=outcome.status,
            last_error=outcome.error,
            closes_lane=outcome.gone,
        )

    def _report(self, delivery: Delivery, settled: Settled) -> None:
        self.counters.failed += 1
        facts = {
            "url": safe_url(delivery.url),
            "event_id": delivery.event["id"],
            "delivery_id": delivery.delivery_id,
            "conference_id": delivery.conference_id,
            "attempts": settled.attempts,
            "error": settled.last_error,
            "status": settled.last_status,
        }
        if settled.next_at is None:
            self.counters.dead += 1
            log.warning("webhook given up", **facts)
        else:
            log.info("webhook failed", **facts, again_in_s=round(settled.next_at - settled.at, 1))

    async def _load(self, lane_ids: list[int]) -> list[list[Delivery]]:
        heads = await self._outbox.heads(lane_ids, _LOADED_AT_ONCE)
        return [heads.get(lane_id, []) for lane_id in lane_ids]

    async def _commit(self, settled: list[Settled]) -> list[None]:
        await self._outbox.settle(settled)
        return [None] * len(settled)
