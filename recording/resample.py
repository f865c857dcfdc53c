"""Sound at one rate into sound at another, for any piece of a file, without delay.

Decides the filter: a sinc under a Kaiser window, 64 samples of the lower rate long, down by half at 0.466 of it
and by 70 dB from 0.5, so neither images nor aliases are heard. It lies around the sample it makes, hence no
delay; a piece needs `CONTEXT_MS` of what is before and behind it, and with these, pieces join without a seam.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

CONTEXT_MS: Final = 4
"""What the filter reaches to either side at its longest, where 8 kHz takes part."""

_HALF_LENGTH: Final = 32
"""Of the filter, in samples of the lower rate."""
_CUTOFF: Final = 0.466
_KAISER_BETA: Final = 6.76

Floats = npt.NDArray[np.float32]


def resample(sound: Floats, from_hz: int, to_hz: int) -> Floats:
    """Resample n milliseconds.

    `sound`: ((n + 2 * CONTEXT_MS) * from_hz / 1000,) float32; the first and the last CONTEXT_MS are only looked
    at. Returns (n * to_hz / 1000,) float32.
    """
    step = from_hz // 1000
    context = CONTEXT_MS * step
    if from_hz == to_hz:
        return sound[context : sound.size - context]
    windows = sliding_window_view(sound, step + 2 * context)[::step]
    resampled: Floats = (windows @ _taps(from_hz, to_hz)).reshape(-1)
    return resampled


@cache
def _taps(from_hz: int, to_hz: int) -> Floats:
    """Weight of each input of a window (a millisecond and its context) for each output of that millisecond."""
    lower = min(from_hz, to_hz)
    reach = _HALF_LENGTH * from_hz / lower
    context = CONTEXT_MS * from_hz // 1000
    input_at = np.arange(-context, from_hz // 1000 + context)[:, np.newaxis]
    distance = np.arange(to_hz // 1000) * (from_hz / to_hz) - input_at
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / reach) ** 2)))
    taps = np.where(np.abs(distance) <= reach, window, 0.0) * np.sinc(2 * _CUTOFF * distance * lower / from_hz)
    # Each output's taps sum to 1, or a constant would come out as a tone at the lower rate.
    normalised: Floats = (taps / taps.sum(axis=0)).astype(np.float32)
    return normalised
