"""Who is listened to where more speak at once than are mixed: the loudest, as far as can be known.

How loud a leg is, only its decoder tells, and not to decode everybody is what this is for. So most places belong to
those who were measured to be the loudest, and the others wait for a trial in one of the rest: first who by the level
that his packets claim (RFC 6464) is louder than somebody with a place, then who has waited longest. What a leg's claims
were wrong by in its trial counts against them from then on, so forged ones are seen through, and only ever cost trials.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.dsp.levels import SILENCE_DBOV

TRIALS: Final = 8
"""One place in so many is for trials. A decoder that begins again has to catch up, so they are few."""
TRIAL_TICKS: Final = 3
FALL_DB: Final = 2.0
"""A tick, so that a pause between words is no reason to lose a place."""
LOUDER_DB: Final = 6.0
"""Nobody loses a place to one who is hardly louder."""
UNKNOWN_DBOV: Final = -25.0
"""A new leg is taken for somebody who speaks."""
SLACK_DB: Final = 10.0
"""A claim is of another moment than what is decoded in the same tick."""
LEARN: Final = 0.5
"""Weight of one tick in what is known of a leg's claims."""
_URGENT: Final = 1e6

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
Levels = NDArray[np.float32]


class Loudest:
    """Columns by row. `claimed` dBov: what the leg's last packet says; `SILENCE_DBOV` if it says nothing.

    `most`: places, of which some are for trials: with eight there are seven that are kept.
    """

    _COLUMNS: Final = ("claimed", "_known", "_lie_db", "_since", "_waited")

    def __init__(self, capacity: int, most: int) -> None:
        self._most = most
        self._kept = most - max(1, most // TRIALS)
        self.claimed = np.full(capacity, SILENCE_DBOV, np.float32)
        self._known = np.full(capacity, UNKNOWN_DBOV, np.float32)
        """dBov, as last measured."""
        self._lie_db = np.zeros(capacity, np.float32)
        self._since = np.zeros(capacity, np.int32)
        """For how many ticks each has had a place; 0: it has none."""
        self._waited = np.zeros(capacity, np.int32)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in self._COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int) -> None:
        """A new leg: nothing is known of it."""
        self.claimed[row], self._known[row] = SILENCE_DBOV, UNKNOWN_DBOV
        self._lie_db[row] = self._since[row] = self._waited[row] = 0

    def choose(self, candidates: Flags, level_dbov: Levels) -> Flags:
        """(n,) bool: those of `candidates` (n,) bool that are decoded in this tick.

        `level_dbov` (n,): how loud those chosen last time then were.
        """
        n = len(candidates)
        since, waited = self._since[:n], self._waited[:n]
        self._learn(since > 0, level_dbov)
        chosen = candidates.copy()
        if np.count_nonzero(candidates) > self._most:
            inside, outside = np.flatnonzero(candidates & (since > 0)), np.flatnonzero(candidates & (since == 0))
            chosen[:] = False
            chosen[self._pick(inside, outside)] = True
        since += 1
        since[~chosen] = 0
        waited[candidates] += 1
        waited[chosen] = 0
        return chosen

    def _learn(self, chosen: Flags, level_dbov: Levels) -> None:
        n = len(chosen)
        known, lie = self._known[:n], self._lie_db[:n]
        np.copyto(known, np.maximum(level_dbov, known - np.float32(FALL_DB)), where=chosen)
        wrong = np.maximum(self.claimed[:n] - level_dbov - np.float32(SLACK_DB), 0)
        np.copyto(lie, lie + np.float32(LEARN) * (wrong - lie), where=chosen)

    def _pick(self, inside: Rows, outside: Rows) -> Rows:
        """The rows that have places now, of those with and without one before; as many as there are places."""
        score = self._known[inside] + np.float32(LOUDER_DB) * (self._since[inside] >= TRIAL_TICKS)
        inside = inside[np.argsort(-score, kind="stable")]
        stay, rest = inside[: self._kept], inside[self._kept :]
        outside, urgent = self._queue(outside, stay)
        # Trials that are not over go on, unless somebody is known, or claims, to be louder.
        trying = rest[self._since[rest] < TRIAL_TICKS]
        trying = trying[: max(0, self._most - len(stay) - urgent)]
        come = outside[: self._most - len(stay) - len(trying)]
        left = self._most - len(stay) - len(trying) - len(come)
        again = rest[~np.isin(rest, trying)][:left]  # fewer wait than trials are over
        return np.concatenate([stay, trying, come, again])

    def _queue(self, waiting: Rows, stay: Rows) -> tuple[Rows, int]:
        """Who is tried next, in order, and how many of them are thought to be louder than one of those who `stay`."""
        claimed = self.claimed[waiting]
        thought = np.where(claimed > SILENCE_DBOV, claimed - self._lie_db[waiting], self._known[waiting])
        full = len(stay) == self._kept > 0
        mark = self._known[stay].min() + LOUDER_DB if full else SILENCE_DBOV
        urgent = thought > mark
        order = np.argsort(-np.where(urgent, _URGENT + thought, self._waited[waiting]), kind="stable")
        return waiting[order], int(np.count_nonzero(urgent))
