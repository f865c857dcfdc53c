"""Whose sound is made shorter or longer in which tick, so that nobody hears it and no tick becomes long by it.

Each leg has a `wish`: how far its playing position should be moved, which `playout` decides twice a second. A wish is
fulfilled a pitch period at a time, where the sound is like itself a period later; if it never is, with less and less
likeness asked for. Only a few legs are looked at in one tick, in turn.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown

A_TICK: Final = 8
"""Legs whose sound is spliced in one tick; the others wait."""
FAST_TICKS: Final = 5
"""Between two corrections of a leg's sound."""
SLOW_TICKS: Final = 100
"""Between two of a leg that waits a tick too long at most: only a clock drifts, and there is time."""
RETRY_TICKS: Final = 2
"""After a splice that would have been heard."""
ALIKE: Final = 0.9
"""How alike both sides of a splice must be at first, and by how much less at each further attempt."""
LESS_ALIKE: Final = 0.02

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Corrections:
    """Columns by row. `tick`: RTP timestamp units in a tick; `least`: to move ahead by less is not worth it."""

    def __init__(self, capacity: int, tick: int, least: int) -> None:
        self.tick, self.least = tick, least
        self.wish = np.zeros(capacity, np.int64)
        """Units to move the position ahead, or back if below 0."""
        self.any = False
        """Some leg may wish something."""
        self._hurries = np.zeros(capacity, bool)
        """There is more than a tick to be moved, or was when it began, or the packets come in short time."""
        self._cool = np.zeros(capacity, np.int32)
        self._failed = np.zeros(capacity, np.int32)
        self._turn = 0

    def grow(self, capacity: int) -> None:
        """Make room; rows keep their values."""
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                setattr(self, name, grown(column, capacity))

    def forget(self, row: int) -> None:
        """The leg's position was set anew."""
        self.wish[row] = self._cool[row] = self._failed[row] = 0
        self._hurries[row] = False

    def set(self, wish: Rows) -> None:
        """What the first (n,) legs wish."""
        n = len(wish)
        hurries = self._hurries[:n]
        hurries &= wish != 0
        hurries |= (wish < 0) | (wish > self.tick)
        np.minimum(self._cool[:n], FAST_TICKS, out=self._cool[:n], where=hurries)
        self._failed[:n][wish == 0] = 0
        self.wish[:n] = wish
        self.any = bool(wish.any())

    def due(self, rows: Rows, silent: Flags) -> Rows:
        """Those of `rows` (k,), which play and wish something, whose turn it is. `silent` (k,): they may at once."""
        self._cool[rows] -= 1
        rows = rows[silent | (self._cool[rows] <= 0)]
        if len(rows) > A_TICK:
            rows = np.roll(rows, -int(np.searchsorted(rows, self._turn)))[:A_TICK]
            self._turn = int(rows[-1]) + 1
        return rows

    def least_alike(self, row: int) -> float:
        """How alike both sides of a splice of this leg must be: less, the longer it had to do without one."""
        return ALIKE - LESS_ALIKE * int(self._failed[row])

    def done(self, row: int, units: int, soft: bool) -> None:
        """In this tick's sound so many units were dropped, or added if below 0; 0: no splice was good enough.

        `soft`: it was in a moment so soft that the next correction need not wait.
        """
        if units == 0:
            self._failed[row] += 1
            self._cool[row] = RETRY_TICKS
            return
        self._failed[row] //= 2  # what was not alike will hardly be the next time
        self._cool[row] = 1 if soft else FAST_TICKS if self._hurries[row] else SLOW_TICKS
        wish = int(self.wish[row])
        left = wish - units
        self.wish[row] = left if left * wish > 0 and (wish < 0 or left >= self.least) else 0
