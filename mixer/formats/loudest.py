"""Who is listened to where more speak at once than are mixed: the loudest, as far as can be known.

How loud a leg is, only its decoder tells, and not to decode everybody is what this is for. So the others are ranked by
what they were last known to be, a little higher in every tick that they wait, until they are tried again; and by the
level that their packets claim (RFC 6464) less what that was wrong by before. Whoever claims too much gets in once, and
is known from then on.

A leg that has a place keeps it against others that are hardly louder, and only a few places change hands in one tick,
as a decoder that begins again has to catch up first.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.dsp.levels import SILENCE_DBOV

FALL_DB: Final = 2.0
"""A tick, so that a syllable's end is no reason to lose a place."""
RISE_DB: Final = 1.0
LOUDER_DB: Final = 6.0
SWAPS: Final = 16
"""One place in so many may change hands in a tick."""
UNKNOWN_DBOV: Final = -25.0
"""A new leg is taken for somebody who speaks."""
SLACK_DB: Final = 10.0
"""A claim is of another moment than what is decoded in the same tick."""
LEARN: Final = 0.2
"""Weight of one tick in what is known of a leg's claims."""

Flags = NDArray[np.bool_]
Levels = NDArray[np.float32]


class Loudest:
    """Columns by row. `claimed` dBov: what the leg's last packet says; `SILENCE_DBOV` if it says nothing."""

    _COLUMNS: Final = ("claimed", "_rank", "_lie_db", "_chosen")

    def __init__(self, capacity: int, most: int) -> None:
        self._most = most
        self.claimed = np.full(capacity, SILENCE_DBOV, np.float32)
        self._rank = np.full(capacity, UNKNOWN_DBOV, np.float32)
        self._lie_db = np.zeros(capacity, np.float32)
        self._chosen = np.zeros(capacity, bool)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in self._COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int) -> None:
        """A new leg: nothing is known of it."""
        self.claimed[row], self._rank[row] = SILENCE_DBOV, UNKNOWN_DBOV
        self._lie_db[row], self._chosen[row] = 0, False

    def choose(self, candidates: Flags, level_dbov: Levels) -> Flags:
        """(n,) bool: those of `candidates` (n,) bool that are decoded in this tick.

        `level_dbov` (n,): how loud those chosen last time then were.
        """
        n = len(candidates)
        rank, chosen = self._rank[:n], self._chosen[:n]
        self._learn(candidates & ~chosen, level_dbov)
        if np.count_nonzero(candidates) <= self._most:
            np.copyto(chosen, candidates)
            return chosen.copy()
        chosen &= candidates
        inside, outside = np.flatnonzero(chosen), np.flatnonzero(candidates & ~chosen)
        outside = outside[np.argsort(-rank[outside], kind="stable")]
        free = max(0, self._most - len(inside))
        chosen[outside[:free]] = True
        swaps = max(1, self._most // SWAPS)
        best = outside[free : free + swaps]
        worst = inside[np.argsort(rank[inside], kind="stable")[: len(best)]]
        best = best[: len(worst)]
        louder = rank[best] > rank[worst] + LOUDER_DB
        chosen[worst[louder]], chosen[best[louder]] = False, True
        return chosen.copy()

    def _learn(self, waiting: Flags, level_dbov: Levels) -> None:
        n = len(waiting)
        rank, lie, chosen, claimed = self._rank[:n], self._lie_db[:n], self._chosen[:n], self.claimed[:n]
        np.copyto(rank, np.maximum(level_dbov, rank - np.float32(FALL_DB)), where=chosen)
        wrong = np.maximum(claimed - level_dbov - np.float32(SLACK_DB), 0)
        np.copyto(lie, lie + np.float32(LEARN) * (wrong - lie), where=chosen)
        known = np.minimum(rank + np.float32(RISE_DB), 0)
        np.copyto(rank, np.maximum(known, claimed - lie), where=waiting)
