"""Packets on their way to their slots: where they are placed, how they count, what the rings hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.formats.g711 import G711Table
from mixer.formats.opus import OpusTable
from mixer.formats.picked import Picked
from mixer.protocol import MixerConfig
from mixer.protocol import Playout as Bounds
from mixer.receive.arrivals import NOTHING_NS, Arrivals
from mixer.receive.playout import TICK_NS, Playout
from mixer.receive.ring import SlotRing
from mixer.transports.base import Batch
from tests.mixer.kernels.twins import Columns, Twins, assert_same, columns

LEGS = 6
SEED = st.integers(0, 1 << 32)
SHAPES = {"20 ms": (160, 1, 28, 32), "10 ms": (480, 2, 50, 64)}


def stamps_of(
    random: np.random.Generator, playout: Playout, rows: NDArray[np.int64], wild: float
) -> NDArray[np.uint32]:
    """Timestamps, most of them near the position of their legs, the others anywhere."""
    ahead = random.integers(-3, 12, len(rows)) * playout.slot_ts
    ahead += np.where(random.random(len(rows)) < 0.2, random.integers(0, playout.slot_ts, len(rows)), 0)
    if wild:
        last = playout.horizon * playout.slot_ts
        ahead = np.where(random.random(len(rows)) < 0.1, random.choice([-1, 0, last - 1, last], len(rows)), ahead)
    near = playout.play_ts[rows].astype(np.int64) + playout.phase[rows] * (random.random() < 0.5) + ahead
    anywhere = random.integers(0, 1 << 32, len(rows))
    return np.where(random.random(len(rows)) < wild, anywhere, near).astype(np.uint32)


def play_a_tick(random: np.random.Generator, playout: Playout) -> None:
    """What tables do with a playout, but at random."""
    action = playout.decide(LEGS, lambda asked: random.random(len(asked)) < 0.5)
    for row in np.flatnonzero(action > 2).tolist():
        playout.corrected(row, int(random.choice([0, 60, -60])), bool(random.random() < 0.5))
    have = (action >= 2) & (random.random(LEGS) < 0.9)
    playout.missed[:LEGS] = np.where(have, 0, playout.missed[:LEGS] + 1)
    playout.step(LEGS, action, have)
    if random.random() < 0.2:
        rows = np.flatnonzero(playout.started[:LEGS] & (random.random(LEGS) < 0.5))
        playout.move(rows, random.integers(-playout.tick_ts, playout.tick_ts, len(rows)))


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=SEED, wild=st.sampled_from([0.0, 0.0, 0.05, 0.5]), first_ts=st.sampled_from([5, 1 << 31, (1 << 32) - 700]))
@settings(max_examples=25, deadline=None)
def test_packets_are_placed_the_same_whatever_their_timestamps_are(
    twins: Twins, shape: str, seed: int, wild: float, first_ts: int
) -> None:
    slot_ts, slots_per_tick, horizon, slots = SHAPES[shape]

    def place() -> tuple[Columns, list[list[int]]]:
        random = np.random.default_rng(seed)
        ring = SlotRing(8, slots, 160)
        playout = Playout(8, slot_ts, slots_per_tick, horizon, ring, 160)
        placed = []
        for row in range(LEGS):
            playout.open(row, 20 * (row % 3), 200)
        everybody = np.arange(LEGS)
        ages_ns = random.integers(0, 60_000_000, LEGS)
        playout.place(everybody, np.full(LEGS, first_ts, np.uint32), ages_ns)
        for tick in range(40):
            rows = random.integers(0, LEGS, random.integers(1, 9)) if random.random() < 0.7 else everybody
            if random.random() < 0.02:
                playout.restart(int(rows[0]))
            stamps = stamps_of(random, playout, rows, wild)
            ages_ns = random.choice([0, 1, 7_000_000, 19_999_999, TICK_NS, 1_000_000_000], len(rows))
            slot, offset = playout.place(rows, stamps, ages_ns)
            placed += [slot.tolist(), offset.tolist()]
            held = np.flatnonzero(slot >= 0)[-1:]
            ring.put(
                rows[held], slot[held], np.ones((1, 160), np.uint8)[: len(held)], np.full(len(held), 160, np.int32)
            )
            play_a_tick(random, playout)
            if tick % 5 == 4:
                playout.review(LEGS)
        return columns(playout, without=("ring",)), placed

    compiled, by_numpy = twins.run(place, "place")
    assert compiled[1] == by_numpy[1]
    assert_same(compiled[0], by_numpy[0])


@given(seed=SEED, margins=st.booleans())
@settings(max_examples=60, deadline=None)
def test_waits_are_noted_the_same(twins: Twins, seed: int, margins: bool) -> None:
    def note() -> Columns:
        random, arrivals = np.random.default_rng(seed), Arrivals(8)
        for row in range(LEGS):
            arrivals.open(row)
        for tick in range(30):
            rows = random.integers(0, LEGS, random.integers(0, 10))
            wait_ns = random.choice(
                [0, 1, 20_000_000, 300_000_000, NOTHING_NS - 1, NOTHING_NS, 2 * NOTHING_NS], len(rows)
            )
            wait_ns += random.integers(0, 40_000_000, len(rows))
            arrivals.note(rows, wait_ns, wait_ns - random.integers(0, TICK_NS, len(rows)) if margins else None)
            moved = np.unique(rows[:2])
            if tick % 3 == 0:
                arrivals.shift(moved, TICK_NS * random.integers(-2, 3, len(moved)))
            if tick % 7 == 0:
                arrivals.shift_apart(moved, random.integers(-TICK_NS, TICK_NS, len(moved)))
            if tick % 5 == 0:
                arrivals.close_part(LEGS)
        return columns(arrivals)

    assert_same(*twins.run(note, "note"))


# ---- into the ring


def packets_for(random: np.random.Generator, table: G711Table, odd: float, wild: float) -> Picked:
    """Packets of all lengths, some of them twice; what they say depends on whose they are and their time alone."""
    n = int(random.integers(1, 12))
    batch, index = Batch(16), np.arange(n)
    rows = random.integers(0, LEGS, n) if random.random() < 0.5 else index % LEGS
    length = np.where(random.random(n) < odd, random.integers(1, 400, n), 160).astype(np.int32)
    offset = random.choice([12, 12, 12, 16, 92], n).astype(np.int32)
    stamps = stamps_of(random, table.playout, rows, wild)
    for i in range(n):
        says = int(rows[i]) * 37 + (int(stamps[i]) + np.arange(length[i])) * 7
        batch.data[i, offset[i] : offset[i] + length[i]] = says & 0xFF
    again = np.where(random.random(n) < 0.3, random.integers(0, n, n), index)
    return Picked(batch, index, rows, stamps, random.integers(0, TICK_NS, n), offset, length).take(again)


@given(seed=SEED, odd=st.sampled_from([0.0, 0.0, 0.3]), wild=st.sampled_from([0.0, 0.1]))
@settings(max_examples=40, deadline=None)
def test_rings_hold_the_same_and_duplicates_count_the_same(twins: Twins, seed: int, odd: float, wild: float) -> None:
    def insert() -> Columns:
        random = np.random.default_rng(seed)
        table = G711Table(8, Clips(), mu_law=True)
        for row in range(LEGS):
            table.add(row, 1.0, True, Bounds())
        for _ in range(15):
            table.insert(packets_for(random, table, odd, wild))
            play_a_tick(random, table.playout)
        return columns(table)

    assert_same(*twins.run(insert, "place", "fit", "store"))


def opus(frame: int) -> bytes:
    """A packet of 20 ms, CELT, mono, of a length and content of its own."""
    return bytes([0xF8]) + bytes([frame]) * (3 + frame % 200)


@given(seed=SEED)
@settings(max_examples=30, deadline=None)
def test_packets_of_any_length_are_stored_the_same(twins: Twins, seed: int) -> None:
    def insert() -> Columns:
        random = np.random.default_rng(seed)
        table = OpusTable(8, Clips(), MixerConfig("test"))
        for row in range(LEGS):
            table.add(row, 1.0, True, Bounds())
        for tick in range(10):
            n = int(random.integers(1, 12))
            batch, rows, frames = Batch(16), random.integers(0, LEGS, n), tick + random.integers(0, 4, n)
            payloads = [opus(int(frame)) for frame in frames]
            offset = random.choice([12, 12, 20], n).astype(np.int32)
            for i, payload in enumerate(payloads):
                batch.data[i, offset[i] : offset[i] + len(payload)] = np.frombuffer(payload, np.uint8)
            length = np.array([len(payload) for payload in payloads], np.int32)
            stamps = (frames * 960).astype(np.uint32)
            table.insert(Picked(batch, np.arange(n), rows, stamps, random.integers(0, TICK_NS, n), offset, length))
            play_a_tick(random, table.playout)
        ring = table.ring
        return {
            **columns(table.playout, without=("ring",)),
            "key": ring.key.copy(),
            "filled": ring.filled.copy(),
            "samples": table.decoding.samples.copy(),
            "duplicates": table.duplicates.copy(),
            "payloads": np.concatenate(
                [ring.data[row, place, : ring.filled[row, place]] for row, place in np.argwhere(ring.key >= 0)]
            ),
        }

    assert_same(*twins.run(insert, "place", "store"))


def test_of_two_different_packets_for_a_slot_in_one_batch_one_is_kept_whole(twins: Twins) -> None:
    """The one difference: compiled it is the first, by numpy the last. An honest sender sends no such thing."""

    def insert() -> tuple[int, int]:
        table = G711Table(4, Clips(), mu_law=True)
        table.add(0, 1.0, True, Bounds())
        batch = Batch(2)
        batch.data[0], batch.data[1] = 1, 2
        nothing, twelve = np.zeros(2, np.int64), np.full(2, 12, np.int32)
        table.insert(Picked(batch, np.arange(2), nothing, np.zeros(2, np.uint32), nothing, twelve, twelve - 12 + 160))
        (held,) = table.ring.data[0, table.ring.key[0] >= 0]
        assert len(np.unique(held)) == 1
        return int(held[0]), int(table.duplicates[0])

    assert twins.run(insert, "store") == ((1, 1), (2, 1))
