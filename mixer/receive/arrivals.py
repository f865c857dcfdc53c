"""What is known of how each leg's packets arrive: how long they wait, at best, at worst and usually.

Two times are told apart. A packet's *wait* goes from its arrival to when its first sample is played. Differences of
waits are differences of transit: the longest recent wait belongs to the least transit, from which jitter is measured.
Its *margin* ends when the tick begins that plays this sample: whoever has none left comes too late. Both move with the
playing position (`shift`), but where it moves by less than a tick, margins must be learnt anew. All is forgotten within
a few seconds: the extremes of the last two exactly, the histogram of jitter by a factor. What follows for the position
is decided in `playout`.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.columns import grown

PARTS: Final = 4
"""The recent past is so many parts long; the oldest is dropped when one is closed."""
BIN_NS: Final = 5_000_000
BINS: Final = 64
USUAL: Final = 0.98
"""Share of ticks whose latest packet is not later than what counts as jitter: strays are waited for only shortly."""
KEPT: Final = 0.7
"""Of the histogram, from one part to the next; with half a second each, a time constant of 1.4 seconds."""
_HEAVY: Final = 1e6
SMOOTHING: Final = 0.0625
NOTHING_NS: Final = 10**12
"""The least wait or margin, or minus the longest wait, of a leg of which no packet came."""

Rows = NDArray[np.int64]
Times = NDArray[np.int64]


class Arrivals:
    """Columns by row; times in ns."""

    def __init__(self, capacity: int) -> None:
        self.wait_ns = np.zeros(capacity, np.float64)
        """Smoothed."""
        self.longest_ns = np.full(capacity, -NOTHING_NS, np.int64)
        """The wait of the least transit in the recent past, as of when the last part of it was closed."""
        self._least_now = np.full(capacity, NOTHING_NS, np.int64)
        self._longest_now = np.full(capacity, -NOTHING_NS, np.int64)
        self._margin_now = np.full(capacity, NOTHING_NS, np.int64)
        self._margin_before = np.full((capacity, PARTS - 1), NOTHING_NS, np.int64)
        self._least_before = np.full((capacity, PARTS - 1), NOTHING_NS, np.int64)
        self._longest_before = np.full((capacity, PARTS - 1), -NOTHING_NS, np.int64)
        self._worst_ns = np.zeros(capacity, np.int64)
        self._lags = np.zeros((BINS, capacity), np.float32)  # most legs are in the same few bins: those stay in caches
        self._rows = np.arange(capacity)
        self.weight = np.float32(1.0)

    def grow(self, capacity: int) -> None:
        """Make room; rows keep their values."""
        lags = self._lags
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray) and column is not lags:
                setattr(self, name, grown(column, capacity))
        self._lags = np.zeros((BINS, capacity), np.float32)
        self._lags[:, : lags.shape[1]] = lags
        self._rows = np.arange(capacity)

    def open(self, row: int) -> None:
        """A new leg: nothing is known."""
        self._lags[:, row] = 0
        self.anchor(row, 0)

    def anchor(self, row: int, wait_ns: float) -> None:
        """The leg's position was set anew, its first packet waiting so long; its jitter is taken to be what it was."""
        self.wait_ns[row] = wait_ns
        self._least_now[row] = self._least_before[row] = NOTHING_NS
        self._margin_now[row] = self._margin_before[row] = NOTHING_NS
        self.longest_ns[row] = self._longest_now[row] = self._longest_before[row] = -NOTHING_NS

    def columns(
        self,
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """What compiled loops note in, in the order they take it."""
        now = self._least_now, self._margin_now, self._longest_now
        return (self._worst_ns, *now, self.longest_ns, self._lags, self.wait_ns)

    def note(self, rows: Rows, wait_ns: Times, margin_ns: Times | None = None) -> None:
        """Packets came: `rows` (n,), their waits, and margins if these are less. A leg's latest counts as jitter."""
        loops = kernels.loops
        if loops is not None:
            margin_ns = wait_ns if margin_ns is None else margin_ns
            loops.note(rows, wait_ns, margin_ns, NOTHING_NS, BIN_NS, self.weight, *self.columns())
            return
        np.maximum.at(self._longest_now, rows, wait_ns)
        worst = self._worst_ns
        worst.fill(NOTHING_NS)
        np.minimum.at(worst, rows, wait_ns)
        # From here on of all rows, which is cheaper than to pick out those that nearly all have a packet in a tick.
        np.minimum(self._least_now, worst, out=self._least_now)
        if margin_ns is None:
            np.minimum(self._margin_now, worst, out=self._margin_now)
        else:
            np.minimum.at(self._margin_now, rows, margin_ns)
        came = worst < NOTHING_NS
        late = np.minimum(np.maximum(self.longest_ns - worst, 0) // BIN_NS, BINS - 1)
        self._lags.reshape(-1)[late * len(worst) + self._rows] += came * self.weight
        np.add(self.wait_ns, (worst - self.wait_ns) * SMOOTHING, out=self.wait_ns, where=came)

    def shift(self, rows: Rows, by_ns: Times | int) -> None:
        """Packets of these legs (k,) wait so much longer (k,) from now on: whole ticks."""
        self._shift_waits(rows, by_ns)
        self._margin_now[rows] += by_ns
        self._margin_before[rows] += _columns(by_ns)

    def shift_apart(self, rows: Rows, by_ns: Times) -> None:
        """The same by other times: a packet's tick may change, or not."""
        self._shift_waits(rows, by_ns)
        self._margin_now[rows] = NOTHING_NS
        self._margin_before[rows] = NOTHING_NS

    def _shift_waits(self, rows: Rows, by_ns: Times | int) -> None:
        self.wait_ns[rows] += by_ns
        for column in (self._least_now, self._longest_now, self.longest_ns):
            column[rows] += by_ns
        self._least_before[rows] += _columns(by_ns)
        self._longest_before[rows] += _columns(by_ns)

    def margin_ns(self, n: int) -> Times:
        """(n,): the least margin of the recent past, or since they were learnt anew."""
        least: Times = np.minimum(self._margin_now[:n], self._margin_before[:n].min(axis=1))
        return least

    def least_ns(self, rows: Rows) -> Times:
        """(rows,): the least wait of the recent past."""
        least: Times = np.minimum(self._least_now[rows], self._least_before[rows].min(axis=1))
        return least

    def jitter_ns(self, rows: Rows) -> Times:
        """(rows,): how much longer than the least transit the usual packet takes at most, to a bin; 0 if none came."""
        until = np.cumsum(self._lags.T[rows], axis=1)
        share = until >= USUAL * until[:, -1:]
        return np.where(until[:, -1] > 0, share.argmax(axis=1) * BIN_NS, 0)

    def close_part(self, n: int) -> None:
        """Half a second is over. Legs of which nothing came keep what is known of them: it holds for what comes."""
        came = np.flatnonzero(self._least_now[:n] < NOTHING_NS // 2)
        self.longest_ns[:n] = np.maximum(self._longest_now[:n], self._longest_before[:n].max(axis=1))
        for now, before, nothing in (
            (self._least_now, self._least_before, NOTHING_NS),
            (self._margin_now, self._margin_before, NOTHING_NS),
            (self._longest_now, self._longest_before, -NOTHING_NS),
        ):
            before[came, 1:] = before[came, :-1]
            before[came, 0] = now[came]
            now[:n] = nothing
        self.weight /= np.float32(KEPT)
        if self.weight > _HEAVY:
            self._lags /= self.weight
            self.weight = np.float32(1.0)


def _columns(by_ns: Times | int) -> Times | int:
    return by_ns[:, np.newaxis] if isinstance(by_ns, np.ndarray) else by_ns
