"""Changes the sample rate of one stream, frame by frame, between any two of 8, 16, 24 and 48 kHz.

Decides the filter: a sinc under a Kaiser window, as long as 32 samples of the lower rate, so linear in phase.
Flat up to 0.43 of the lower rate, down by 64 dB from 0.557 of it: what a tone at the passband's edge images
or aliases into is gone. It delays by 16 samples of the lower rate: 2 ms where 8 kHz takes part, less
elsewhere. It is applied to milliseconds: a matrix holds the taps of each output of one millisecond, and a
frame is one product of twenty windows with it.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

SAMPLE_RATES: Final = (8_000, 16_000, 24_000, 48_000)

_FRAME_MS: Final = 20
_HALF_LENGTH: Final = 16
"""Of the filter, in samples of the lower rate."""
_CUTOFF: Final = 0.49
"""Where the filter is down by half, as a part of the lower rate."""
_KAISER_BETA: Final = 6.2


class Resampler:
    """One stream's resampler: holds what it needs of the last frame.

    `delay_samples`: by how many samples, at the rate it makes, the output lags behind the input. Between
    equal rates it copies, without delay. Raises ValueError for a rate that isn't one of SAMPLE_RATES.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz not in SAMPLE_RATES or to_hz not in SAMPLE_RATES:
            raise ValueError(f"can't resample from {from_hz} to {to_hz} Hz: the rates are {SAMPLE_RATES}")
        self._copies = from_hz == to_hz
        lower = min(from_hz, to_hz)
        self.delay_samples = 0 if self._copies else _HALF_LENGTH * to_hz // lower
        self._history_samples = 2 * _HALF_LENGTH * from_hz // lower
        self._taps = _taps(from_hz, to_hz)
        self._input = np.zeros(self._history_samples + from_hz * _FRAME_MS // 1000, np.float32)
        step, itemsize = from_hz // 1000, self._input.itemsize
        width = self._history_samples + step
        self._overlapping = as_strided(self._input, (_FRAME_MS, width), (step * itemsize, itemsize))
        self._windows = np.zeros((_FRAME_MS, width), np.float32)

    def process(self, frame: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
        """Resample the stream's next 20 ms.

        `frame`: (from_hz / 50,) float32; `out`: (to_hz / 50,) float32, contiguous, written in place.
        """
        if self._copies:
            np.copyto(out, frame)
            return
        history = self._history_samples
        self._input[:history] = self._input[-history:]
        self._input[history:] = frame
        # numpy's product of overlapping windows is a slow loop; of a copy of them it is BLAS's.
        np.copyto(self._windows, self._overlapping)
        np.matmul(self._windows, self._taps, out.reshape(_FRAME_MS, -1))

    def reset(self) -> None:
        """Forget what was heard, so that another stream can start."""
        self._input[:] = 0.0


@cache
def _taps(from_hz: int, to_hz: int) -> npt.NDArray[np.float32]:
    """Weight of each input of a window for each output of its last millisecond: (window, to_hz / 1000)
    float32.

    A window is the filter's full length before a millisecond of input and that millisecond.
    """
    lower = min(from_hz, to_hz)
    half = _HALF_LENGTH * from_hz // lower
    input_at = np.arange(-2 * half, from_hz // 1000)[:, np.newaxis]
    output_at = np.arange(to_hz // 1000) * (from_hz / to_hz) - half
    distance = output_at - input_at
    inside = np.maximum(0.0, 1.0 - (distance / half) ** 2)
    window = np.where(np.abs(distance) <= half, np.i0(_KAISER_BETA * np.sqrt(inside)), 0.0)
    taps = window * np.sinc(2 * _CUTOFF * distance * lower / from_hz)
    # Each output's taps sum to 1, or a constant would come out as a tone at the lower rate.
    normalised: npt.NDArray[np.float32] = (taps / taps.sum(axis=0)).astype(np.float32)
    return normalised
