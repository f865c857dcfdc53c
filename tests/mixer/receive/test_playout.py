"""Playing positions by numbers alone: hours of arrivals in a second."""

import heapq
from dataclasses import dataclass, field

import numpy as np
import pytest

from mixer.receive.action import Action
from mixer.receive.corrections import A_TICK
from mixer.receive.playout import TICK_NS, WINDOW_TICKS, Playout
from mixer.receive.ring import SlotRing

SLOTS, HORIZON, UNITS = 32, 28, 160
PERIOD = 60
"""What a splice moves by: 7.5 ms."""


@dataclass
class Leg:
    """One leg of 20 ms packets, and what became of them; every splice succeeds, `alike` permitting."""

    margin_ms: int = 10
    max_ms: int = 300
    alike: float = 1.0
    now_ns: int = 0
    played: list[int | None] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    heard: set[int] = field(default_factory=set)
    splices: list[int] = field(default_factory=list)
    """The ticks of them."""

    def __post_init__(self) -> None:
        self.ring = SlotRing(1, SLOTS, UNITS)
        self.playout = Playout(1, UNITS, 1, HORIZON, self.ring, UNITS)
        self.playout.open(0, self.margin_ms, self.max_ms)
        self.flying: list[tuple[float, int]] = []
        self.content: dict[int, int] = {}

    def tick(self, silent: bool = False) -> None:
        self.now_ns += TICK_NS
        rows, playout = np.zeros(1, np.int64), self.playout
        batch = []
        while self.flying and self.flying[0][0] <= self.now_ns:
            batch.append(heapq.heappop(self.flying))
        if batch:
            stamps = np.array([number * UNITS % 2**32 for _, number in batch], np.uint32)
            ages = np.array([int(self.now_ns - at_ns) for at_ns, _ in batch])
            slot, _ = playout.place(np.zeros(len(batch), np.int64), stamps, ages)
            for to, (_, number) in zip(slot.tolist(), batch, strict=True):
                if to >= 0:
                    self.ring.put(rows, np.array([to]), np.zeros((1, UNITS), np.uint8), np.full(1, UNITS, np.int32))
                    self.content[to] = number
        action = playout.decide(1, lambda rows: np.full(len(rows), silent))
        slots = [int(playout.play[0]) + k for k in range(1 + (playout.phase[0] > 0))]
        have = action[0] >= Action.PLAY and all(self.ring.has(1, np.array([slot]))[0] for slot in slots)
        self.played.append(self.content[slots[0]] if have else None)
        self.heard |= {self.content[slot] for slot in slots if have}
        self.actions.append(Action(int(action[0])))
        if playout.started[0]:
            playout.missed[0] = 0 if have else playout.missed[0] + 1
        if have and action[0] > Action.PLAY:
            self.splice()
        playout.step(1, action, np.array([have]))
        if len(self.played) % WINDOW_TICKS == 0:
            playout.review(1)

    def splice(self) -> None:
        wish = int(self.playout.corrections.wish[0])
        good = self.alike >= self.playout.corrections.least_alike(0)
        self.playout.corrected(0, int(np.sign(wish)) * min(abs(wish), PERIOD) if good else 0, soft=False)
        if good:
            self.splices.append(len(self.played))

    def run(self, ticks: int, ppm: float = 0, jitter_ms: float = 0, first: int = 0, phase_ms: float = 5) -> None:
        random = np.random.default_rng(1)
        period_ns, start_ns, sent = TICK_NS * (1 - ppm / 1e6), self.now_ns + phase_ms * 1e6, 0
        for _ in range(ticks):
            while start_ns + sent * period_ns <= self.now_ns + TICK_NS:
                late_ns = random.random() * jitter_ms * 1e6
                heapq.heappush(self.flying, (start_ns + sent * period_ns + late_ns, first + sent))
                sent += 1
            self.tick()


@pytest.mark.parametrize("phase_ms", [0.1, 5, 9.9, 10.1, 15, 19.9])
def test_first_packet_waits_for_the_margin_and_less_than_a_tick_more(phase_ms: float) -> None:
    leg = Leg()
    leg.run(10, phase_ms=phase_ms)
    assert 10 <= leg.playout.depth_ms(0) < 30
    assert [number for number in leg.played if number is not None] == list(range(10 - leg.played.count(None)))


@pytest.mark.parametrize("first", [2**32 // UNITS - 5, 2**31 // UNITS - 5, 0])
def test_timestamps_wrap(first: int) -> None:
    leg = Leg()
    leg.run(50, first=first)
    heard = [number for number in leg.played if number is not None]
    assert heard == list(range(first, first + len(heard)))
    assert len(heard) >= 47


@pytest.mark.parametrize("ppm", [-200, -100, 100, 200])
def test_drifting_clock_is_followed_by_splices_alone(ppm: int) -> None:
    leg = Leg()
    minutes = 5
    leg.run(minutes * 3000, ppm=ppm)
    drift = abs(ppm) * 1e-6 * minutes * 60 * 8000
    assert int(leg.playout.late[0]) == 0
    assert None not in leg.played[5:]
    assert Action.EXPAND not in leg.actions
    assert abs(leg.playout.dropped[0] - leg.playout.added[0] - np.sign(ppm) * drift) <= UNITS + PERIOD
    assert leg.playout.dropped[0] * leg.playout.added[0] == 0  # never this way and that
    assert len(leg.splices) <= drift / PERIOD + 4


@pytest.mark.parametrize("ppm", [-200, 200])
def test_delay_stays_within_one_tick_while_a_clock_drifts(ppm: int) -> None:
    leg, waits = Leg(), []
    leg.run(500)
    period_ns, start_ns = TICK_NS * (1 - ppm / 1e6), leg.now_ns + 5e6
    leg.flying = [(start_ns + n * period_ns, 500 + n) for n in range(15_100)]
    for tick in range(15_000):
        leg.tick()
        if tick % 50 == 0:
            waits.append(leg.playout.depth_ms(0))
    assert max(waits) - min(waits) <= 27
    assert max(waits) <= 32


@pytest.mark.parametrize("jitter_ms", [20, 60, 150, 200])
def test_wait_grows_at_once_with_jitter_and_shrinks_within_ten_seconds(jitter_ms: float) -> None:
    leg = Leg()
    leg.run(150, jitter_ms=jitter_ms)
    leg.flying.clear()
    late, missing = int(leg.playout.late[0]), leg.played.count(None)
    leg.run(850, jitter_ms=jitter_ms, first=151)
    assert (leg.playout.late[0] - late) / 850 <= 0.01
    assert leg.played.count(None) - missing <= 0.02 * 850
    assert leg.playout.arrivals.longest_ns[0] / 1e6 <= jitter_ms + 40
    leg.flying.clear()
    late = int(leg.playout.late[0])
    leg.run(500, first=1002)
    assert leg.playout.depth_ms(0) < 35
    assert leg.playout.late[0] - late <= 1


def test_burst_of_three_hundred_ms_is_heard_and_caught_up_with_while_speech_goes_on() -> None:
    leg = Leg()
    leg.run(200)
    leg.flying.clear()
    first, start_ns = leg.played[-1], leg.now_ns + 5e6
    assert first is not None
    at_ns = [start_ns + n * TICK_NS for n in range(600)]
    held_until_ns = start_ns + 300e6
    leg.flying = [(max(at, held_until_ns) if n < 15 else at, first + 2 + n) for n, at in enumerate(at_ns)]
    heapq.heapify(leg.flying)
    before_ms, ticks = leg.playout.depth_ms(0), 0
    while ticks < 30 or leg.playout.depth_ms(0) > before_ms + 20:
        leg.tick()
        ticks += 1
    assert 100 < ticks <= 500
    assert set(range(first, max(leg.heard))) - leg.heard <= {first + 1, first + 2, first + 3}


def test_whole_ticks_are_dropped_in_silence_and_periods_in_sound() -> None:
    def ticks_until_short(silent: bool) -> tuple[int, int]:
        leg = Leg()
        leg.run(300, jitter_ms=150)
        leg.flying.clear()
        start_ns, ticks = leg.now_ns + 5e6, 0
        leg.flying = [(start_ns + n * TICK_NS, 301 + n) for n in range(900)]
        while leg.playout.depth_ms(0) > 40 or ticks < 50:
            leg.tick(silent)
            ticks += 1
        return ticks, len(leg.splices)

    in_silence, in_sound = ticks_until_short(silent=True), ticks_until_short(silent=False)
    assert in_silence[1] <= 5 and in_sound[1] > 15
    assert in_silence[0] < in_sound[0] <= 500


def test_sound_is_spliced_once_in_a_hundred_ms_at_most() -> None:
    leg = Leg()
    leg.run(300, jitter_ms=200)
    leg.flying.clear()
    leg.run(400, first=301)
    assert len(leg.splices) > 15
    assert min(np.diff(leg.splices)) >= 5


def test_splice_that_would_be_heard_is_put_off_but_not_for_ever() -> None:
    def first_splice(alike: float) -> int:
        leg = Leg(alike=alike)
        leg.run(300, jitter_ms=100)
        leg.flying.clear()
        leg.run(900, first=301)
        assert leg.playout.depth_ms(0) < 50
        return next(tick for tick in leg.splices if tick > 300)

    assert 50 <= first_splice(0.2) - first_splice(1.0) <= 100


def test_few_legs_are_spliced_in_one_tick_and_all_in_turn() -> None:
    legs = 30
    playout = Playout(legs, UNITS, 1, HORIZON, SlotRing(legs, SLOTS, UNITS), UNITS)
    for row in range(legs):
        playout.open(row, 10, 300)
    rows, spliced = np.arange(legs), np.zeros(legs, int)
    for tick in range(400):
        # Packets of the first five come ever earlier: all that is known of them is too long a wait.
        ahead = 0 if tick < 5 else 5
        playout.place(rows, np.full(legs, (tick + ahead) * UNITS, np.uint32), np.full(legs, 12_000_000))
        action = playout.decide(legs, lambda asked: np.zeros(len(asked), bool))
        turn = np.flatnonzero(action > Action.PLAY)
        assert len(turn) <= A_TICK
        for row in turn.tolist():
            playout.corrected(row, PERIOD, soft=False)
        spliced[turn] += 1
        playout.missed[:] = 0
        playout.step(legs, action, action >= Action.PLAY)
        if tick % WINDOW_TICKS == WINDOW_TICKS - 1:
            playout.review(legs)
    assert spliced.min() > 5
    assert spliced.max() - spliced.min() <= 2


@pytest.mark.parametrize(("margin_ms", "max_ms"), [(0, 20), (10, 40), (20, 120)])
def test_wait_never_exceeds_what_its_size_allows(margin_ms: int, max_ms: int) -> None:
    leg = Leg(margin_ms, max_ms)
    waits = []
    for second in range(20):
        leg.run(50, jitter_ms=250, first=second * 51)
        waits.append(leg.playout.depth_ms(0))
        leg.flying.clear()
    assert max(waits) <= max(max_ms, margin_ms + 20) + 20


def test_late_packet_is_heard_if_nothing_came_after_it() -> None:
    leg = Leg()
    leg.run(50)
    leg.flying.clear()
    last = leg.played[-1]
    assert last is not None
    waiting = [number for number in leg.content.values() if number > last]
    following = max([last, *waiting]) + 1
    for _ in range(4):
        leg.tick()
    heapq.heappush(leg.flying, (leg.now_ns + 1e6, following))
    leg.tick()
    assert leg.played[-1] == following
    assert leg.playout.late[0] == 0


def test_wait_stays_within_the_ring_whatever_comes() -> None:
    leg = Leg(max_ms=100_000)
    leg.run(1500, jitter_ms=800)
    assert leg.playout.depth_ms(0) <= HORIZON * 20


def test_repeat_of_what_was_played_is_told_from_a_late_packet() -> None:
    leg = Leg()
    leg.run(50)
    heapq.heappush(leg.flying, (leg.now_ns + 1e6, 40))
    leg.tick()
    assert (leg.playout.repeated[0], leg.playout.late[0], leg.playout.stall[0]) == (1, 0, 0)


def test_growing_keeps_rows_and_opens_new_ones() -> None:
    leg = Leg()
    leg.run(50)
    before = {name: column[0] for name, column in vars(leg.playout).items() if isinstance(column, np.ndarray)}
    leg.playout.grow(4)
    leg.playout.open(3, 10, 300)
    after = {name: column[0] for name, column in vars(leg.playout).items() if isinstance(column, np.ndarray)}
    assert after == before
    assert not leg.playout.started[3]
