"""Brings voices to one level, each by a gain of its own that follows it over seconds.

Decides that gain from the levels that were, so nothing is delayed. It moves only while there is speech: by words that
stand out of what the leg sounds like between them, so that neither noise nor a steady tone is turned up. Who is about
right is left alone, and whose gain has settled hears it move no more until his level has changed for good. How the
gain gets onto frames is decided elsewhere (`mixer.formats`).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.dsp.levels import SILENCE_DBOV

TARGET_DBOV: Final = -23.0
"""RMS of speech without its pauses: 20 dB below a sine at full scale."""
MOST_DB: Final = 12.0
NEAR_DB: Final = 1.5
"""So near to the target is near enough."""
UP_DB: Final = 0.06
"""A tick of speech at most: 3 dB a second."""
DOWN_DB: Final = 0.12
"""Too loud is more of a nuisance than too soft."""
WINDOW_TICKS: Final = 150
"""Of speech, that count in its level: three seconds."""
LEAST_TICKS: Final = 50
"""Of speech before anything is concluded from it."""
ABOVE_FLOOR_DB: Final = 6.0
FLOOR_RISE_DB: Final = 0.04
"""A tick: 2 dB a second."""

Floats = NDArray[np.float32]


class AutoGain:
    """Columns by row."""

    COLUMNS: Final = ("gain", "_gain_db", "_power", "_ticks", "_floor_dbov")

    def __init__(self, capacity: int) -> None:
        self.gain = np.ones(capacity, np.float32)
        """Linear, exactly 1.0 until it moves."""
        self._gain_db = np.zeros(capacity, np.float32)
        self._power = np.zeros(capacity, np.float32)
        """Mean of the last ticks of speech, 1.0 being full scale."""
        self._ticks = np.zeros(capacity, np.float32)
        """Of speech, up to the window."""
        self._floor_dbov = np.zeros(capacity, np.float32)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in self.COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int) -> None:
        """A new leg: nothing is known of it."""
        self.gain[row] = 1.0
        self._gain_db[row] = self._power[row] = self._ticks[row] = 0.0
        self._floor_dbov[row] = 0.0  # falls to what there is at once

    def update(self, level_dbov: Floats, speaking: NDArray[np.bool_]) -> None:
        """Take in a tick of the first n rows and move their gains.

        `level_dbov`: (n,) as it comes in, before any gain; `speaking`: (n,) bool, pauses between words included.
        """
        n = len(level_dbov)
        floor = self._floor_dbov[:n]
        np.minimum(floor + np.float32(FLOOR_RISE_DB), level_dbov, out=floor)
        np.maximum(floor, SILENCE_DBOV / 2, out=floor)  # so that digital silence does not make a word of any hiss
        rows = np.flatnonzero(speaking & (level_dbov > floor + np.float32(ABOVE_FLOOR_DB)))
        if len(rows):
            self._listen(rows, level_dbov[rows])
            known = rows[self._ticks[rows] >= LEAST_TICKS]
            self._move(known)

    def _listen(self, rows: NDArray[np.intp], level_dbov: Floats) -> None:
        """Of the first seconds every tick counts alike, later ones make the earlier fade."""
        ticks = np.minimum(self._ticks[rows] + 1, np.float32(WINDOW_TICKS))
        self._ticks[rows] = ticks
        self._power[rows] += (np.float32(10) ** (level_dbov / 10) - self._power[rows]) / ticks

    def _move(self, rows: NDArray[np.intp]) -> None:
        before = self._gain_db[rows]
        wanted = TARGET_DBOV - 10 * np.log10(self._power[rows])
        aim = np.clip(np.clip(before, wanted - NEAR_DB, wanted + NEAR_DB), -MOST_DB, MOST_DB)
        after = before + np.clip(aim - before, -DOWN_DB, UP_DB)
        moved = rows[after != before]
        self._gain_db[rows] = after
        self.gain[moved] = np.float32(10) ** (self._gain_db[moved] / 20)
