"""What G.711 legs play in a tick: looked up by loops as by numpy, through losses, odd packets and moved positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.formats.g711 import G711Table
from mixer.formats.picked import Picked
from mixer.protocol import Playout as Bounds
from mixer.receive.playout import TICK_NS
from mixer.transports.base import Batch
from tests.mixer.kernels.twins import DECIBELS, Columns, Twins, assert_same, columns

LEGS = 7
SIZES = (160, 160, 160, 160, 80, 240, 200, 37)
"""Samples a packet; a leg keeps to one."""


class Senders:
    """Far ends by row, each with packets of a size of its own: what they say, how much is lost, how late it comes."""

    def __init__(self, random: np.random.Generator, silence: int) -> None:
        self.random, self.silence = random, silence
        self.size = random.choice(SIZES, LEGS)
        self.loss = random.choice([0.0, 0.0, 0.1, 0.4], LEGS)
        self.jitter_ns = random.choice([0, 0, 15_000_000, 60_000_000], LEGS)
        self.talks = random.random(LEGS) < 0.6
        self.stamp = random.integers(0, 1 << 32, LEGS)
        self.due_ns = random.integers(0, TICK_NS, LEGS)
        self._batch = Batch(64)
        self._flying: list[tuple[int, int, int, NDArray[np.uint8]]] = []

    def packets(self, now_ns: int, rows: list[int]) -> Picked | None:
        """What arrives of these rows until `now_ns`."""
        for row in rows:
            while self.due_ns[row] <= now_ns:
                self._send(row)
        arrived = sorted((each for each in self._flying if each[0] <= now_ns and each[1] in rows), key=lambda p: p[0])
        self._flying = [each for each in self._flying if each[0] > now_ns]
        if not arrived:
            return None
        for i, (_, _, _, payload) in enumerate(arrived):
            self._batch.data[i, 12 : 12 + len(payload)] = payload
        at_ns, whose, stamps, payloads = zip(*arrived, strict=True)
        n, length = len(arrived), np.array([len(payload) for payload in payloads], np.int32)
        ages_ns, stamp = now_ns - np.array(at_ns), np.array(stamps).astype(np.uint32)
        return Picked(self._batch, np.arange(n), np.array(whose), stamp, ages_ns, np.full(n, 12, np.int32), length)

    def _send(self, row: int) -> None:
        random, size = self.random, int(self.size[row])
        if random.random() < 0.05:
            self.talks[row] = not self.talks[row]
        payload = np.full(size, self.silence, np.uint8)
        if self.talks[row]:
            payload[:] = random.integers(0, 256, size)
        elif random.random() < 0.1:
            payload[random.integers(size)] ^= 1
        if random.random() >= self.loss[row]:
            at_ns = int(self.due_ns[row] + random.integers(0, self.jitter_ns[row] + 1))
            self._flying.append((at_ns, row, int(self.stamp[row]), payload))
        self.stamp[row] = (self.stamp[row] + size) & 0xFFFF_FFFF
        self.due_ns[row] += size * 125_000


def disturb(random: np.random.Generator, table: G711Table, tick: int) -> None:
    """What else happens to legs: positions are moved, also in sound, streams begin anew, digits are pressed."""
    playing = np.flatnonzero(table.playout.started[: table.n])
    if random.random() < 0.1:
        rows = playing[random.random(len(playing)) < 0.5]
        table.playout.move(rows, random.integers(-100, 160, len(rows)))
        table.playout.cut += rows[:1].tolist()
    if random.random() < 0.02:
        table.restart(1)
    if random.random() < 0.05:
        table.hush(0)
    if tick % 5 == 4:
        table.playout.review(table.n)


@pytest.mark.parametrize("mu_law", [True, False], ids=["mu-law", "A-law"])
@pytest.mark.parametrize("disturbed", [False, True])
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=10, deadline=None)
def test_what_came_is_played_the_same(twins: Twins, mu_law: bool, disturbed: bool, seed: int) -> None:
    def play() -> tuple[list[Columns], Columns]:
        random, table, seen = np.random.default_rng(seed), G711Table(16, Clips(), mu_law), []
        for row in range(LEGS):
            table.add(row, 1.0, True, Bounds())
        table.remove(2)
        senders = Senders(random, table.silence)
        rows = [0, 1, 3, 4, 6] if random.random() < 0.7 else [0, 1, 3, 4, 5, 6]  # somebody may never send
        for tick in range(30):
            packets = senders.packets(tick * TICK_NS, rows)
            if packets is not None:
                table.insert(packets)
            table.pop()
            table.measure()
            n, whole = table.n, table._whole[: table.n]
            assert not table.frames[:n][~table.contributes[:n]].any()
            flags = {name: getattr(table, name)[:n].copy() for name in ("contributes", "_whole", "_have", "_made")}
            seen.append({"frames": table.frames[:n].copy(), "came": table.received[:n][whole], **flags})
            if disturbed:
                disturb(random, table, tick)
        return seen, columns(table, without=("received", "history", "frames", "said"))

    compiled, by_numpy = twins.run(play, "decode_whole", "measure")
    for ours, theirs in zip(compiled[0], by_numpy[0], strict=True):
        assert_same(ours, theirs)
    assert_same(compiled[1], by_numpy[1], level_dbov=DECIBELS, _floor=DECIBELS)


@pytest.mark.parametrize("mu_law", [True, False], ids=["mu-law", "A-law"])
def test_a_leg_that_stalls_plays_nothing_that_has_come(twins: Twins, mu_law: bool) -> None:
    """Its tick is made up although the packet for it is there: that one is played in the next."""

    def play() -> list[list[float]]:
        table, played = G711Table(4, Clips(), mu_law), []
        table.add(0, 1.0, True, Bounds())
        batch = Batch(1)
        batch.data[:] = 0x10
        one, twelve = np.zeros(1, np.int64), np.full(1, 12, np.int32)
        for tick in range(6):
            stamp = np.full(1, tick * 160, np.uint32)
            table.insert(Picked(batch, one, one, stamp, one, twelve, np.full(1, 160, np.int32)))
            if tick == 4:
                table.playout.stall[0] = 1
            before = int(table.playout.play[0])
            table.pop()
            played.append([float(table.playout.play[0]) - before, float(table._whole[0]), float(table.concealed[0])])
        return played

    compiled, by_numpy = twins.run(play, "decode_whole")
    assert compiled == by_numpy
    assert compiled[4] == [0, 0, 1]
    assert compiled[5][:1] == [1]


@pytest.mark.parametrize("silent", [True, False])
def test_silence_is_zero_in_either_law(twins: Twins, silent: bool) -> None:
    def play() -> list[tuple[bool, float]]:
        heard = []
        for mu_law in (True, False):
            table = G711Table(4, Clips(), mu_law)
            table.add(0, 1.0, True, Bounds())
            batch = Batch(1)
            batch.data[:] = table.silence
            batch.data[0, 30] ^= not silent
            one, twelve = np.zeros(1, np.int64), np.full(1, 12, np.int32)
            for tick in range(3):
                stamp, length = np.full(1, tick * 160, np.uint32), np.full(1, 160, np.int32)
                table.insert(Picked(batch, one, one, stamp, one, twelve, length))
                table.pop()
            heard.append((bool(table.contributes[0]), float(np.abs(table.frames[0]).max())))
        return heard

    compiled, by_numpy = twins.run(play, "decode_whole")
    assert compiled == by_numpy
    assert all((loudest == 0) == silent == (not says) for says, loudest in compiled)
