"""The tones that tell that somebody has come or gone: two short notes, rising for one and falling for the other.

Decides pitches, lengths and level. When and to whom they are played is a rule of the conference.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

BeepName = Literal["enter", "leave"]
BEEPS: Final[tuple[BeepName, ...]] = ("enter", "leave")

LEVEL_DBOV: Final = -24.0
"""RMS over the whole tone: about as loud as speech, so that it is neither missed nor a fright."""
DURATION_MS: Final = 220

_NOTE_MS: Final = DURATION_MS // 2
_NOTES_HZ: Final[dict[BeepName, tuple[float, float]]] = {"enter": (622.25, 932.33), "leave": (932.33, 622.25)}
"""A fifth apart, E flat and B flat: pitches that neither dial tones nor DTMF have."""
_FADE_IN_MS: Final = 8
_FADE_OUT_MS: Final = 25
_FULL_SCALE: Final = 32768.0


def beep(name: BeepName, rates: Sequence[int]) -> dict[int, npt.NDArray[np.int16]]:
    """Return the tone at each rate: (220 ms,) int16, beginning and ending in silence."""
    return {rate: _at_rate(_NOTES_HZ[name], rate) for rate in rates}


def _at_rate(notes_hz: tuple[float, float], rate: int) -> npt.NDArray[np.int16]:
    ms = np.arange(_NOTE_MS * rate // 1000) * (1000 / rate)
    rise = np.clip(ms / _FADE_IN_MS, 0.0, 1.0)
    fall = np.clip((_NOTE_MS - ms) / _FADE_OUT_MS, 0.0, 1.0)
    faded = np.sin(np.pi / 2 * np.minimum(rise, fall)) ** 2
    tone: npt.NDArray[np.float64] = np.concatenate([np.sin(2 * np.pi * hz / 1000 * ms) * faded for hz in notes_hz])
    tone *= _FULL_SCALE * 10 ** (LEVEL_DBOV / 20) / np.sqrt(np.mean(tone**2))
    tones: npt.NDArray[np.int16] = np.rint(tone).astype(np.int16)
    return tones
