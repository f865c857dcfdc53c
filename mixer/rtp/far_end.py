"""What far ends report of what we send them, a row per leg, and who loses packets on the way: decided from it.

A leg is `lossy` from the moment its smoothed loss exceeds 3 % until it has stayed below 1 % for a minute: what is done
about it costs something, and a link that lost packets will lose some again. Which report block is about our stream,
and what is done for lossy legs, is decided elsewhere.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown

ENTER: Final = 0.03
LEAVE: Final = 0.01
CALM_NS: Final = 60_000_000_000
NEW: Final = 0.5
"""Weight of the newest report. One alone is enough if it tells of twice the bound: a few packets lost of the fifty
that it may be about are no bad link."""
_UNITS: Final = 256.0
UNKNOWN: Final = -1


class FarEndLoss:
    """Columns by row: `loss` float32, the share of our packets lost, smoothed over reports; `lossy` bool.

    Besides, `reported` bool: a report has been taken; `round_trip_ns` int64: the last one known, `UNKNOWN` if none is.
    """

    _COLUMNS: Final = ("loss", "lossy", "reported", "round_trip_ns", "_bad_ns")

    def __init__(self, capacity: int) -> None:
        self.loss = np.zeros(capacity, np.float32)
        self.lossy = np.zeros(capacity, bool)
        self.reported = np.zeros(capacity, bool)
        self.round_trip_ns = np.full(capacity, UNKNOWN, np.int64)
        self._bad_ns = np.zeros(capacity, np.int64)
        """When the loss was last known not to be below `LEAVE`."""

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` rows, at least as many as before."""
        for name in self._COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int) -> None:
        """A new leg: nothing is known of its link."""
        for name in self._COLUMNS:
            getattr(self, name)[row] = 0
        self.round_trip_ns[row] = UNKNOWN

    def take(self, rows: NDArray[np.integer], fraction_lost: NDArray[np.integer], now_ns: int) -> NDArray[np.int64]:
        """Take one report of each of `rows` (n,), no row twice; returns the rows whose `lossy` changed.

        `fraction_lost` (n,): of 256, since the report before, RFC 3550 section 6.4.1.
        """
        loss = self.loss[rows] + np.float32(NEW) * (fraction_lost / _UNITS - self.loss[rows])
        before = self.lossy[rows]
        bad_ns = np.where(loss < LEAVE, self._bad_ns[rows], now_ns)
        after = (loss > ENTER) | (before & (now_ns - bad_ns < CALM_NS))
        self.loss[rows], self.lossy[rows], self._bad_ns[rows] = loss, after, bad_ns
        self.reported[rows] = True
        return np.asarray(rows[after != before], np.int64)
