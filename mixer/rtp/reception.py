"""What was received of each leg's stream: loss, extended sequence and jitter, a row per leg.

Decides the figures of RTCP report blocks (RFC 3550 section 6.4.1, appendices A.1, A.3 and A.8) and of
statistics. Leaves to others which packets are a leg's, and that a new SSRC is a new stream: they call
`reset`.

One update takes a whole batch, in order of arrival, also several packets of one row. One rule is simpler
than in the RFC: a sequence number that leaps (over 3000 ahead or 100 back) restarts the count at
once instead of after two packets in order, and costs neither loss nor jitter; if it follows a reordered
packet in the same batch, the highest sequence may be off by the reordering, at most 100, until the stream
has caught up. Jitter is exact.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.columns import grown
from mixer.rtp.rtcp import ReportBlock
from mixer.rtp.sequence import difference

MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
MAX_TRANSIT_CHANGE_S: Final = 2.0
"""A larger step between two packets is a clock that was set, not a network."""

KEEP: Final = 15 / 16
"""Jitter is a running mean with gain 1/16, RFC 3550 section 6.4.1."""
_LOST_MIN: Final = -(1 << 23)
_LOST_MAX: Final = (1 << 23) - 1


class Reception:
    """Columns of reception figures; `capacity` rows, each empty until its first packet."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.started: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.received: NDArray[np.int64] = np.zeros(capacity, np.int64)
        """Packets, duplicates included."""
        self.jitter: NDArray[np.float64] = np.zeros(capacity, np.float64)
        """Units of the RTP clock."""
        self._first: NDArray[np.int64] = np.zeros(capacity, np.int64)
        self._highest: NDArray[np.int64] = np.zeros(capacity, np.int64)
        """Extended sequence number as if the sender had never leapt."""
        self._leapt: NDArray[np.int64] = np.zeros(capacity, np.int64)
        """What all leaps add up to: `_highest + _leapt` is the sender's own extended number."""
        self._expected_reported: NDArray[np.int64] = np.zeros(capacity, np.int64)
        self._received_reported: NDArray[np.int64] = np.zeros(capacity, np.int64)
        self._timestamp: NDArray[np.int64] = np.zeros(capacity, np.int64)
        self._arrival_ns: NDArray[np.int64] = np.zeros(capacity, np.int64)

    _COLUMNS: Final = (
        "started", "received", "jitter", "_first", "_highest", "_leapt",
        "_expected_reported", "_received_reported", "_timestamp", "_arrival_ns",
    )  # fmt: skip

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows, at least as many as before; those there keep their figures."""
        for name in self._COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))
        self.capacity = capacity

    def reset(self, rows: NDArray[np.integer] | int) -> None:
        """Forget `rows`: a new leg, or a new SSRC of an old one."""
        for name in self._COLUMNS:
            getattr(self, name)[rows] = 0

    def columns(
        self,
    ) -> tuple[
        NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]
    ]:
        """What compiled loops count in, in the order they take it."""
        counts = self.started, self.received, self.jitter, self._first, self._highest, self._leapt
        return (*counts, self._timestamp, self._arrival_ns)

    def move(self, row_from: int, row_to: int) -> None:
        """Put one row's figures in another's place and leave it empty."""
        if row_from == row_to:
            return
        for name in self._COLUMNS:
            column = getattr(self, name)
            column[row_to] = column[row_from]
        self.reset(row_from)

    def update(
        self,
        rows: NDArray[np.int64],
        sequence: NDArray[np.int32],
        timestamp: NDArray[np.int64],
        arrival_ns: NDArray[np.int64],
        clock_rate: NDArray[np.int64],
    ) -> None:
        """Count a batch of packets in order of arrival.

        All (n,), contiguous; `sequence` of 16 bits, `timestamp` of 32, `clock_rate` in Hz. A packet with the
        timestamp of the one before is no measure of jitter: it is a repeat, or an RFC 4733 event, whose
        timestamp stands still.
        """
        n = len(rows)
        if n == 0:
            return
        loops = kernels.loops
        if loops is not None:
            loops.count(rows, sequence, timestamp, arrival_ns, clock_rate, *self.columns())
            return
        low16, stamp, arrival, rate = sequence.astype(np.int64), timestamp, arrival_ns, clock_rate.astype(np.float64)
        if n == 1 or np.bincount(rows).max() == 1:
            self._start(rows, low16, stamp, arrival)
            leaps = self._count_singles(rows, low16)
            self._measure_singles(rows, stamp, arrival, rate, leaps)
            return
        order = np.argsort(rows, kind="stable")
        row, low16, stamp, arrival, rate = (
            rows[order],
            low16[order],
            stamp[order],
            arrival[order],
            rate[order],
        )
        starts = _run_starts(row)
        self._start(row[starts], low16[starts], stamp[starts], arrival[starts])
        leaps = self._count_runs(row, low16, starts)
        self._measure_runs(row, stamp, arrival, rate, leaps)

    def _start(
        self,
        legs: NDArray[np.integer],
        low16: NDArray[np.int64],
        stamp: NDArray[np.int64],
        arrival: NDArray[np.int64],
    ) -> None:
        new = ~self.started[legs]
        if not new.any():
            return
        fresh = legs[new]
        self.started[fresh] = True
        self._first[fresh] = low16[new]
        self._highest[fresh] = low16[new] - 1
        self._timestamp[fresh] = stamp[new]
        self._arrival_ns[fresh] = arrival[new]

    def _count_singles(self, legs: NDArray[np.integer], low16: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Advance received and highest by a packet each; returns which packets leapt."""
        step = difference(low16, self._highest[legs] + self._leapt[legs], 16)
        leaps = _leaps(step)
        if leaps.any():
            self._leapt[legs] += np.where(leaps, step - 1, 0)
            step[leaps] = 1
        self._highest[legs] += np.maximum(step, 0)
        self.received[legs] += 1
        return leaps

    def _measure_singles(
        self,
        legs: NDArray[np.integer],
        stamp: NDArray[np.int64],
        arrival: NDArray[np.int64],
        rate: NDArray[np.float64],
        leaps: NDArray[np.bool_],
    ) -> None:
        """Appendix A.8, for a packet each."""
        advance = difference(stamp, self._timestamp[legs], 32)
        if not advance.all():
            kept = advance != 0
            legs, stamp, arrival, rate = legs[kept], stamp[kept], arrival[kept], rate[kept]
            advance, leaps = advance[kept], leaps[kept]
        change = _transit_change(arrival - self._arrival_ns[legs], advance, rate, leaps)
        self.jitter[legs] = self.jitter[legs] * KEEP + change * (1 - KEEP)
        self._timestamp[legs] = stamp
        self._arrival_ns[legs] = arrival

    def _count_runs(
        self, row: NDArray[np.integer], low16: NDArray[np.int64], starts: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """As `_count_singles`, for a batch sorted by row, of which each run is a row's packets."""
        legs = row[starts]
        counts = np.diff(starts, append=len(row))
        before = _shifted(low16, starts, self._highest[legs] + self._leapt[legs])
        step = difference(low16, before, 16)
        leaps = _leaps(step)
        if leaps.any():
            self._leapt[legs] += np.add.reduceat(np.where(leaps, step - 1, 0), starts)
            step[leaps] = 1
        walk = np.cumsum(step)
        walk -= np.repeat(walk[starts] - step[starts], counts)
        self._highest[legs] += np.maximum(np.maximum.reduceat(walk, starts), 0)
        self.received[legs] += counts
        return leaps

    def _measure_runs(
        self,
        row: NDArray[np.integer],
        stamp: NDArray[np.int64],
        arrival: NDArray[np.int64],
        rate: NDArray[np.float64],
        leaps: NDArray[np.bool_],
    ) -> None:
        """As `_measure_singles`; a run of k packets applies the running mean k times at once."""
        starts = _run_starts(row)
        kept = np.flatnonzero(stamp != _shifted(stamp, starts, self._timestamp[row[starts]]))
        if len(kept) == 0:
            return
        row, stamp, arrival, rate, leaps = row[kept], stamp[kept], arrival[kept], rate[kept], leaps[kept]
        starts = _run_starts(row)
        legs = row[starts]
        counts = np.diff(starts, append=len(row))
        elapsed = arrival - _shifted(arrival, starts, self._arrival_ns[legs])
        advance = difference(stamp, _shifted(stamp, starts, self._timestamp[legs]), 32)
        change = _transit_change(elapsed, advance, rate, leaps)
        ends = starts + counts
        age = np.repeat(ends, counts) - 1 - np.arange(len(row))
        fed = np.add.reduceat((1 - KEEP) * KEEP**age * change, starts)
        self.jitter[legs] = self.jitter[legs] * KEEP**counts + fed
        self._timestamp[legs] = stamp[ends - 1]
        self._arrival_ns[legs] = arrival[ends - 1]

    def expected(self) -> NDArray[np.int64]:
        """(capacity,) packets that should have come by now; 0 for empty rows."""
        return np.where(self.started, self._highest - self._first + 1, 0)

    def lost(self) -> NDArray[np.int64]:
        """(capacity,) packets expected but not received; below zero with duplicates, RFC 3550 A.3."""
        return self.expected() - self.received

    def report(self, row: int, ssrc: int, last_sr: int = 0, delay_since_last_sr: int = 0) -> ReportBlock | None:
        """The block to send about `row`'s stream `ssrc`; the next one's fraction lost counts from here.

        None if nothing was received. `last_sr`, `delay_since_last_sr`: of the last sender report from it.
        """
        if not self.started[row]:
            return None
        expected = int(self._highest[row] - self._first[row]) + 1
        received = int(self.received[row])
        expected_since = expected - int(self._expected_reported[row])
        lost_since = expected_since - (received - int(self._received_reported[row]))
        self._expected_reported[row], self._received_reported[row] = expected, received
        fraction = 0
        if expected_since > 0 and lost_since > 0:
            fraction = min((lost_since << 8) // expected_since, 255)
        return ReportBlock(
            ssrc=ssrc,
            fraction_lost=fraction,
            cumulative_lost=min(max(expected - received, _LOST_MIN), _LOST_MAX),
            highest_sequence=int(self._highest[row] + self._leapt[row]) & 0xFFFF_FFFF,
            jitter=min(int(self.jitter[row]), 0xFFFF_FFFF),
            last_sr=last_sr,
            delay_since_last_sr=delay_since_last_sr,
        )


def _leaps(step: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Appendix A.1: too far for loss or reordering."""
    return (step > MAX_DROPOUT) | (step < -MAX_MISORDER)


def _transit_change(
    elapsed_ns: NDArray[np.int64],
    advance: NDArray[np.int64],
    rate: NDArray[np.float64],
    leaps: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """|D| of appendix A.8: time passed less what the sender's clock says passed, in its units."""
    change = np.abs(elapsed_ns * (rate * 1e-9) - advance)
    change[leaps | (change > MAX_TRANSIT_CHANGE_S * rate)] = 0.0
    return change


def _run_starts(row: NDArray[np.integer]) -> NDArray[np.intp]:
    """Where each run of equal numbers begins; `row` is not empty."""
    return np.concatenate(([0], np.flatnonzero(row[1:] != row[:-1]) + 1))


def _shifted(values: NDArray[np.int64], starts: NDArray[np.intp], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """The value before each one in its run; `before` gives those of the first ones."""
    shifted = np.empty_like(values)
    shifted[1:] = values[:-1]
    shifted[starts] = before
    return shifted
