"""Whose voices of one table are denoised: those that sound, up to a number that a tick has time for.

How noise is taken out is `mixer.dsp.denoise`'s. A voice that begins is faded over to what comes out of its denoiser,
which lags behind. Those whose turn has not come are mixed as they came in.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.dsp.denoise import Denoiser, load

MOST: Final = 64
"""Voices at a time: 1.5 to 4 ms of a tick, by their rate. Each costs 0.2 MB of memory."""
MOST_NEW: Final = 4
"""In a tick: making a denoiser takes as long as ten frames."""

Frames = NDArray[np.float32]


@dataclass(slots=True)
class _Voice:
    denoiser: Denoiser
    tick: int
    """When it was denoised last."""


class Denoising:
    """The denoisers of one table. Raises ImportError if the package is missing, before the first tick needs it."""

    def __init__(self, sample_rate: int, level: str) -> None:
        load()
        self._sample_rate, self._level = sample_rate, level
        self._rise = np.linspace(0, 1, sample_rate // 50, dtype=np.float32)
        self._voices: dict[int, _Voice] = {}
        """By row."""
        self._tick = 0

    def forget(self, row: int) -> None:
        """The row is somebody else's from now on."""
        self._voices.pop(row, None)

    def apply(self, says: NDArray[np.bool_], frames: Frames) -> None:
        """Denoise a tick of those who say something, in place.

        `says`: (n,) bool; `frames`: (n, S) float32 in int16 units, of which the others' are left alone.
        """
        self._tick += 1
        rows = np.flatnonzero(says).tolist()
        # Who was denoised goes on being so: taking turns would be heard.
        going = [row for row in rows if row in self._voices and self._voices[row].tick == self._tick - 1]
        for row in going:
            self._denoise(row, frames[row])
        room, new = MOST - len(going), MOST_NEW
        for row in rows:
            if room <= 0:
                return
            known = row in self._voices
            if (not known and not new) or (known and self._voices[row].tick == self._tick):
                continue
            new -= not known
            room -= 1
            self._begin(row, frames[row])

    def _begin(self, row: int, frame: Frames) -> None:
        """Fade over from the voice as it comes in."""
        if row in self._voices:
            self._voices[row].denoiser.flush()
        else:
            if len(self._voices) >= MOST:
                del self._voices[min(self._voices, key=lambda of: self._voices[of].tick)]
            self._voices[row] = _Voice(Denoiser(self._sample_rate, self._level), self._tick)
        before = frame.copy()
        self._denoise(row, frame)
        frame -= before
        frame *= self._rise
        frame += before

    def _denoise(self, row: int, frame: Frames) -> None:
        voice = self._voices[row]
        voice.tick = self._tick
        voice.denoiser.process(frame, frame)
