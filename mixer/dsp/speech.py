"""Who speaks: decided per leg from its level, with an attack and a release so that it does not flap.

A leg speaks when it is clearly above its own noise floor for three ticks, and ceases to when it has been below a
somewhat lower mark for half a second: a click is no speech and a breath no end of it. Levels are dBov (see `levels`).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.columns import grown
from mixer.dsp.levels import SILENCE_DBOV, dbov

ATTACK_TICKS: Final = 3
RELEASE_TICKS: Final = 25
LEAST_DBOV: Final = -45.0
"""Below this nothing is speech, whatever the floor."""
ABOVE_FLOOR_DB: Final = 10.0
HYSTERESIS_DB: Final = 5.0
LOWEST_FLOOR_DBOV: Final = -60.0
HIGHEST_FLOOR_DBOV: Final = -45.0
"""Somebody who speaks without a pause is not to become his own noise."""
FLOOR_RISE_DB: Final = 0.04
"""A tick: 2 dB a second, so that the floor follows noise and not syllables."""


class SpeechDetector:
    """Columns by row."""

    LASTING: Final = ("speaking", "level_dbov", "_floor", "_above", "_below")
    COLUMNS: Final = (*LASTING, "changed")

    def __init__(self, capacity: int) -> None:
        self.speaking = np.zeros(capacity, bool)
        self.level_dbov = np.full(capacity, SILENCE_DBOV, np.float32)
        """Of the last tick."""
        self._floor = np.full(capacity, SILENCE_DBOV, np.float32)
        self._above = np.zeros(capacity, np.int32)
        self._below = np.zeros(capacity, np.int32)
        self.changed = np.zeros(capacity, np.int64)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in self.COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def reset(self, row: int) -> None:
        """A new leg: nothing is known of it."""
        self.speaking[row] = False
        self.level_dbov[row] = SILENCE_DBOV
        self._floor[row] = HIGHEST_FLOOR_DBOV  # falls to what there is at once, rises slowly
        self._above[row] = self._below[row] = 0

    def columns(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """What compiled loops judge by, in the order they take it."""
        return self.level_dbov, self._floor, self._above, self._below, self.speaking, self.changed

    def measure(
        self, n: int, frames: NDArray[np.float32], says: NDArray[np.bool_], gain: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Measure this tick's `frames` (rows, samples), and judge the first `n` rows by them.

        `says`: the row is not zero; `gain`: others hear it if above 0. Returns the rows whose `speaking` changed.
        """
        level = self.level_dbov
        loops = kernels.loops
        if loops is not None:
            return self.changed[: loops.measure(n, frames, says, gain, *self.columns())]
        rows = np.flatnonzero(says[:n])
        level[:n] = SILENCE_DBOV
        if len(rows) == n:
            level[:n] = dbov(frames[:n])
        elif len(rows):
            level[rows] = dbov(frames[rows])
        return self.update(n, gain[:n] > 0)

    def known(self, rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """What is known of these rows, for `assume`."""
        return [getattr(self, name)[rows] for name in self.LASTING]

    def assume(self, rows: NDArray[np.int64], known: list[NDArray[Any]]) -> None:
        """Nobody listened to these rows: of them holds what was `known` before."""
        for name, values in zip(self.LASTING, known, strict=True):
            getattr(self, name)[rows] = values

    def update(self, n: int, audible: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Judge the first `n` rows by `level_dbov`; returns the rows whose `speaking` changed.

        `audible` (n,) bool: others may hear the leg; one that they may not does not speak.
        """
        level, floor = self.level_dbov[:n], self._floor[:n]
        np.minimum(floor + np.float32(FLOOR_RISE_DB), level, out=floor)
        np.clip(floor, LOWEST_FLOOR_DBOV, HIGHEST_FLOOR_DBOV, out=floor)
        mark = np.maximum(floor + np.float32(ABOVE_FLOOR_DB), np.float32(LEAST_DBOV))
        above = audible & (level > mark)
        below = ~audible | (level < mark - np.float32(HYSTERESIS_DB))
        self._above[:n] = np.where(above, self._above[:n] + 1, 0)
        self._below[:n] = np.where(below, self._below[:n] + 1, 0)
        speaking = self.speaking[:n]
        now = np.where(speaking, audible & (self._below[:n] < RELEASE_TICKS), self._above[:n] >= ATTACK_TICKS)
        changed = np.flatnonzero(now != speaking)
        speaking[:] = now
        return changed


class ActiveSpeaker:
    """The loudest of those who speak, kept for a while: the picture must not jump with every syllable."""

    HOLD_TICKS: Final = 50

    def __init__(self) -> None:
        self.call_id: str | None = None
        self._since = 0

    def update(self, tick: int, speaking: dict[str, float]) -> str | None:
        """`speaking`: level in dBov of each call that speaks now."""
        loudest = max(speaking, key=lambda call_id: speaking[call_id], default=None)
        if loudest is None or loudest == self.call_id:
            return self.call_id
        if self.call_id not in speaking or tick - self._since >= self.HOLD_TICKS:
            self.call_id, self._since = loudest, tick
        return self.call_id

    def forget(self, call_id: str) -> None:
        """The call is gone."""
        if self.call_id == call_id:
            self.call_id = None
