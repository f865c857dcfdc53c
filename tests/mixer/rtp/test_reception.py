"""Reception figures against RFC 3550's own per-packet arithmetic (appendices A.1, A.3, A.8)."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.rtp.reception import Reception

TICK_NS = 20_000_000


@dataclass
class Reference:
    """One stream, one packet at a time."""

    first: int | None = None
    highest: int = 0
    received: int = 0
    jitter: float = 0.0
    last: tuple[int, int] = field(default=(0, 0))

    def take(self, extended: int, timestamp: int, arrival_ns: int, rate: int) -> None:
        self.received += 1
        if self.first is None:
            self.first = self.highest = extended
            self.last = (timestamp, arrival_ns)
            return
        self.highest = max(self.highest, extended)
        if timestamp == self.last[0]:
            return
        change = abs((arrival_ns - self.last[1]) * rate * 1e-9 - (timestamp - self.last[0]))
        self.jitter += (change - self.jitter) / 16
        self.last = (timestamp, arrival_ns)


def one(figures: Reception, row: int, sequence: int, timestamp: int = 0, arrival_ns: int = 0, rate: int = 8000) -> None:
    batch(figures, [(row, sequence, timestamp, arrival_ns)], rate)


def batch(figures: Reception, packets: list[tuple[int, int, int, int]], rate: int = 8000) -> None:
    rows, sequence, timestamp, arrival_ns = (np.array(c, np.int64) for c in zip(*packets, strict=True))
    low16 = (sequence & 0xFFFF).astype(np.int32)
    figures.update(rows, low16, timestamp & 0xFFFF_FFFF, arrival_ns, np.full(len(rows), rate))


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF), st.integers(0, 1 << 32), st.data())
@settings(max_examples=100, deadline=None)
def test_batches_give_the_figures_of_single_packets(seq0: int, ts0: int, seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    legs = 4
    rate = 48_000
    figures = Reception(legs)
    references = [Reference() for _ in range(legs)]
    stream = []
    for leg in range(legs):
        for i in range(60):
            if i and rng.random() < 0.1:
                continue
            arrival = i * TICK_NS + int(rng.integers(0, 50_000_000))
            stream += [(arrival if i else -1, leg, i)] * (1 + int(i > 0 and rng.random() < 0.1))
    stream.sort()
    while stream:
        size = data.draw(st.sampled_from((1, 2, 3, 80)))
        taken, stream = stream[:size], stream[size:]
        packets = [(leg, seq0 + i, ts0 + 960 * i, arrival) for arrival, leg, i in taken]
        for leg, *packet in packets:
            references[leg].take(*packet, rate)
        batch(figures, packets, rate)
    for leg, reference in enumerate(references):
        assert reference.first is not None
        block = figures.report(leg, ssrc=9)
        assert block is not None
        assert block.highest_sequence == reference.highest & 0xFFFF_FFFF
        assert figures.expected()[leg] == reference.highest - reference.first + 1
        assert block.cumulative_lost == figures.expected()[leg] - reference.received
        assert figures.jitter[leg] == pytest.approx(reference.jitter, rel=1e-9, abs=1e-6)


def test_an_empty_row_has_nothing_to_report() -> None:
    figures = Reception(2)
    one(figures, 0, 5)
    assert figures.report(1, ssrc=1) is None
    assert figures.lost().tolist() == [0, 0]


def test_fraction_counts_from_the_last_report() -> None:
    figures = Reception(1)
    batch(figures, [(0, i, 160 * i, TICK_NS * i) for i in range(100) if i % 4 or i == 0])
    block = figures.report(0, ssrc=7, last_sr=11, delay_since_last_sr=12)
    assert block is not None
    assert (block.ssrc, block.last_sr, block.delay_since_last_sr) == (7, 11, 12)
    assert (block.cumulative_lost, block.fraction_lost) == (24, 24 * 256 // 100)
    batch(figures, [(0, i, 160 * i, TICK_NS * i) for i in range(100, 200)])
    block = figures.report(0, ssrc=7)
    assert block is not None
    assert (block.cumulative_lost, block.fraction_lost) == (24, 0)
    block = figures.report(0, ssrc=7)
    assert block is not None
    assert block.fraction_lost == 0


def test_duplicates_take_loss_below_zero() -> None:
    figures = Reception(1)
    batch(figures, [(0, 1, 0, 0)] * 3)
    block = figures.report(0, ssrc=7)
    assert block is not None
    assert (block.cumulative_lost, block.fraction_lost, block.highest_sequence) == (-2, 0, 1)


def test_cumulative_loss_is_held_within_24_bits() -> None:
    figures = Reception(2)
    for i in range(3000):
        one(figures, 0, 2999 * i)
    figures.received[1] = 0
    one(figures, 1, 0)
    figures.received[1] = 1 << 30
    high, low = figures.report(0, ssrc=1), figures.report(1, ssrc=1)
    assert high is not None
    assert low is not None
    assert figures.lost()[0] > 1 << 23
    assert high.cumulative_lost == (1 << 23) - 1
    assert high.fraction_lost == 255
    assert low.cumulative_lost == -(1 << 23)


def test_the_count_goes_round() -> None:
    figures = Reception(1)
    for i in range(0, 200_000, 1000):
        batch(figures, [(0, 65_000 + i + k, 0, 0) for k in range(1000)])
    block = figures.report(0, ssrc=1)
    assert block is not None
    assert block.highest_sequence == 65_000 + 199_999
    assert block.cumulative_lost == 0


@pytest.mark.parametrize("leap", [5000, 30_000, -150, -20_000])
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_leap_is_no_loss(leap: int, in_one_batch: bool) -> None:
    figures = Reception(1)
    packets = [(0, 30_000 + i, 160 * i, TICK_NS * i) for i in range(10)]
    packets += [(0, 30_010 + leap + i, 90_000 + 160 * i, TICK_NS * (10 + i)) for i in range(10)]
    if in_one_batch:
        batch(figures, packets)
    else:
        for packet in packets:
            batch(figures, [packet])
    block = figures.report(0, ssrc=1)
    assert block is not None
    assert block.cumulative_lost == 0
    assert block.highest_sequence == (30_019 + leap) & 0xFFFF_FFFF
    assert figures.jitter[0] == pytest.approx(0, abs=1e-6)


def test_a_clock_that_was_set_is_no_jitter() -> None:
    figures = Reception(1)
    batch(figures, [(0, i, (160 * i + 0x4000_0000 * (i >= 10)), TICK_NS * i) for i in range(20)])
    assert figures.jitter[0] == pytest.approx(0, abs=1e-6)


def test_a_timestamp_that_stands_still_is_no_measure_of_jitter() -> None:
    """RFC 4733 events repeat their start; three ends may come in one batch."""
    figures = Reception(1)
    batch(figures, [(0, i, 160 * i, TICK_NS * i) for i in range(5)])
    batch(figures, [(0, 5 + i, 800, TICK_NS * (5 + i)) for i in range(10)])
    batch(figures, [(0, 15 + i, 2400 + 160 * i, TICK_NS * (15 + i)) for i in range(5)])
    assert figures.jitter[0] == pytest.approx(0, abs=1e-6)
    assert figures.lost()[0] == 0


def test_jitter_is_that_of_the_arrivals() -> None:
    """Packets that come alternately 5 ms early and late differ by 10 ms: 80 units, where the mean settles."""
    figures = Reception(1)
    batch(figures, [(0, i, 160 * i, TICK_NS * i + 5_000_000 * (-1) ** i) for i in range(500)])
    assert figures.jitter[0] == pytest.approx(80, abs=1e-3)


def test_reset_forgets_rows() -> None:
    figures = Reception(3)
    batch(figures, [(row, 100 * i, 160 * i, 0) for i in range(5) for row in range(3)])
    figures.reset(np.array([0, 2]))
    assert figures.started.tolist() == [False, True, False]
    one(figures, 0, 4)
    block = figures.report(0, ssrc=1)
    assert block is not None
    assert (block.cumulative_lost, block.highest_sequence, block.jitter) == (0, 4, 0)


def test_growing_and_moving_keep_figures() -> None:
    figures = Reception(2)
    batch(figures, [(1, 100 * i, 160 * i + 3 * i * i, TICK_NS * i) for i in range(5)])
    lost, jitter = figures.lost()[1], figures.jitter[1]
    figures.grow(5)
    figures.move(1, 4)
    assert figures.capacity == 5
    assert figures.started.tolist() == [False, False, False, False, True]
    assert (figures.lost()[4], figures.jitter[4]) == (lost, jitter)
    assert figures.lost()[1] == 0
    figures.move(4, 4)
    assert figures.lost()[4] == lost


def test_an_empty_batch_changes_nothing() -> None:
    figures = Reception(1)
    none = np.zeros(0, np.int64)
    figures.update(none, none.astype(np.int32), none, none, none)
    assert not figures.started[0]


def test_rates_may_differ_by_packet() -> None:
    figures = Reception(2)
    rows = np.array([0, 1])
    rate = np.array([8000, 48_000])
    for i in range(50):
        figures.update(rows, np.full(2, i, np.int32), rate // 50 * i, np.full(2, TICK_NS * i), rate)
    assert figures.jitter.tolist() == pytest.approx([0, 0], abs=1e-6)
