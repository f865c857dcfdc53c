"""Playing positions by numbers alone: hours of arrivals in a second."""

import heapq
from dataclasses import dataclass, field

import numpy as np
import pytest

from mixer.receive.playout import TICK_NS, WINDOW_TICKS, Playout
from mixer.receive.ring import SlotRing

SLOTS, HORIZON, UNITS = 32, 28, 160


@dataclass
class Leg:
    """One leg of 20 ms packets, and what became of them."""

    margin_ms: int = 10
    max_ms: int = 300
    now_ns: int = 0
    played: list[int | None] = field(default_factory=list)
    stalls: int = 0
    skips: int = 0

    def __post_init__(self) -> None:
        self.ring = SlotRing(1, SLOTS, UNITS)
        self.playout = Playout(1, UNITS, 1, HORIZON, self.ring, UNITS)
        self.playout.open(0, self.margin_ms, self.max_ms)
        self.flying: list[tuple[float, int]] = []
        self.content: dict[int, int] = {}

    def tick(self, quiet: bool = False) -> None:
        self.now_ns += TICK_NS
        rows = np.zeros(1, np.int64)
        while self.flying and self.flying[0][0] <= self.now_ns:
            at_ns, number = heapq.heappop(self.flying)
            stamp = np.array([number * UNITS % 2**32], np.uint32)
            slot, _ = self.playout.place(rows, stamp, np.array([int(self.now_ns - at_ns)]))
            if slot[0] >= 0:
                self.ring.put(rows, slot, np.zeros((1, UNITS), np.uint8), np.full(1, UNITS, np.int32))
                self.content[int(slot[0])] = number
        playing, skipping = self.playout.advance(1, np.array([quiet]))
        self.stalls += int(self.playout.started[0] and not playing[0])
        self.skips += int(skipping[0])
        slot = int(self.playout.play[0])
        have = bool(playing[0]) and bool(self.ring.has(1, np.array([slot]))[0])
        self.played.append(self.content[slot] if have else None)
        if self.playout.started[0]:
            self.playout.missed[0] = 0 if have else self.playout.missed[0] + 1
        self.playout.step(1, playing)
        if len(self.played) % WINDOW_TICKS == 0:
            self.playout.review(1)

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


@pytest.mark.parametrize("ppm", [-200, 200])
def test_drift_of_five_minutes_is_made_up_a_frame_at_a_time(ppm: int) -> None:
    leg = Leg()
    leg.run(15_000, ppm=ppm)
    corrections = abs(ppm) * 300e-6 / 0.020
    assert leg.stalls + leg.skips <= corrections + 1
    assert leg.playout.late[0] <= corrections + 1
    assert leg.playout.depth_ms(0) < 35
    missing = sum(number is None for number in leg.played[50:])
    assert missing <= 2 * (corrections + 1)


@pytest.mark.parametrize("jitter_ms", [20, 60, 150, 200])
def test_wait_grows_at_once_with_jitter_and_shrinks_within_ten_seconds(jitter_ms: float) -> None:
    leg = Leg()
    leg.run(1000, jitter_ms=jitter_ms)
    late = int(leg.playout.late[0])
    assert late <= 8
    leg.flying.clear()
    first = 1001
    leg.run(500, first=first)
    assert leg.playout.depth_ms(0) < 35
    assert leg.playout.late[0] - late <= 3


def test_skips_are_made_in_quiet_moments_at_once_and_in_sound_slowly() -> None:
    def ticks_until_short(quiet: bool) -> int:
        leg = Leg()
        leg.run(300, jitter_ms=150)
        leg.flying.clear()
        start_ns, ticks = leg.now_ns + 5e6, 0
        leg.flying = [(start_ns + n * TICK_NS, 301 + n) for n in range(900)]
        while leg.playout.depth_ms(0) > 40 or ticks < 50:
            leg.tick(quiet)
            ticks += 1
        return ticks

    assert ticks_until_short(quiet=True) < ticks_until_short(quiet=False) <= 500


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
