"""Keeps a sum of voices within full scale when there is time to look ahead: for files, not for calls.

Decides how: the gain is a line between the ends of 5 ms steps, nowhere above what the steps beside it can take,
so it is down before a peak comes; it rises again within 150 ms. What never gets too loud is left as it is.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_CEILING: Final = 32767.0
_STEPS_PER_S: Final = 200
_RISE: Final = 1 / 30
"""Of the gain, a step: from silence to full in 150 ms."""


class Limiter:
    """One channel's, fed pieces of whole steps (5 ms) in order. What it gives back is a step late."""

    def __init__(self, sample_rate: int) -> None:
        self._step = sample_rate // _STEPS_PER_S
        self._held = np.zeros(0, np.float32)
        self._held_gain = 1.0
        """What the held step can take."""
        self._gain = 1.0
        """Where the gain stands at the held step's beginning."""

    def process(self, piece: Floats) -> Floats:
        """Take (n,) float32 in int16 units; give what is done: as much, but a step late, so less at first."""
        steps = piece.reshape(-1, self._step)
        peaks = np.abs(steps).max(axis=1)
        if self._gain == 1.0 == self._held_gain and (peaks <= _CEILING).all():
            out = np.concatenate((self._held, piece[: piece.size - self._step]))
            self._held = piece[piece.size - self._step :]
            return out
        return np.concatenate([self._advance(step, float(peak)) for step, peak in zip(steps, peaks, strict=True)])

    def flush(self) -> Floats:
        """The last step."""
        out = self._advance(np.zeros(self._step, np.float32), 0.0)
        self._held = np.zeros(0, np.float32)
        return out

    def _advance(self, step: Floats, peak: float) -> Floats:
        """Take a step; give the one before."""
        takes = 1.0 if peak <= _CEILING else _CEILING / peak
        after = min(self._gain + _RISE, self._held_gain, takes)
        slope = np.linspace(self._gain, after, self._held.size, endpoint=False, dtype=np.float32)
        out: Floats = np.clip(self._held * slope, -_CEILING, _CEILING)  # rounding may stick out
        self._held, self._held_gain, self._gain = step, takes, after
        return out
