"""The pitch period at the end of a piece of sound: the lag at which it resembles itself most.

Serves concealment, which repeats periods, and time scaling, which drops or adds them. What a period is used for,
and how alike is alike enough, is for them to say.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

LONGEST_PERIOD_MS: Final = 15.0
SHORTEST_PERIOD_MS: Final = 2.5
COMPARED_MS: Final = 20.0
NEEDED_MS: Final = LONGEST_PERIOD_MS + COMPARED_MS
"""How much sound `find_period` looks at."""
_COARSE_HZ: Final = 4_000
"""Rate at which the pitch is looked for; it is refined at the row's own."""
_FINE_SAMPLES: Final = 160
"""Of the compared part, enough to tell at any rate."""

Frames = npt.NDArray[np.float32]
Periods = npt.NDArray[np.int32]


def find_period(sound: Frames, sample_rate: int, most: int | None = None) -> tuple[Periods, Frames]:
    """Return each row's period, (m,) int32 samples, and how alike the sound is at that lag, (m,) -1 to 1.

    `sound`: (m, H) float32: the last 20 ms are compared with what was there up to 15 ms before,
    which must be there; `most`: look for no longer lag than so many samples, at least 2.5 ms. Silence has the longest
    period and a likeness of 0.
    """
    step = sample_rate // _COARSE_HZ
    sound = sound[:, sound.shape[1] % step :]
    shortest, longest = _coarse(SHORTEST_PERIOD_MS), _coarse(LONGEST_PERIOD_MS)
    if most is not None:
        longest = max(shortest, min(longest, most // step))
    correlation = _correlations(sound.reshape(len(sound), -1, step).mean(axis=2), shortest, longest)
    best = correlation.argmax(axis=1)
    period = (longest - best) * step
    around = np.arange(-(step * 3 // 4), step * 3 // 4 + 1)
    lags = np.clip(period[:, np.newaxis] + around, shortest * step, longest * step)
    likeness = _likeness(sound, lags, sample_rate)
    closest = likeness.argmax(axis=1)[:, np.newaxis]
    period = np.take_along_axis(lags, closest, axis=1)[:, 0].astype(np.int32)
    return period, np.take_along_axis(likeness, closest, axis=1)[:, 0]


def _coarse(ms: float) -> int:
    return round(ms * _COARSE_HZ / 1000)


def _correlations(coarse: Frames, shortest: int, longest: int) -> Frames:
    """Correlate each row's end with what was there each lag before: (m, lags), longest first, 1 at most."""
    compared, end = _coarse(COMPARED_MS), coarse.shape[1]
    last = coarse[:, end - compared :]
    past = coarse[:, end - compared - longest : end - shortest]
    product = np.einsum("mlk,mk->ml", sliding_window_view(past, compared, axis=1), last)
    power_until = np.zeros((len(past), past.shape[1] + 1))
    np.cumsum(np.square(past, dtype=np.float64), axis=1, out=power_until[:, 1:])
    power = power_until[:, compared:] - power_until[:, :-compared]
    power *= np.vecdot(last, last)[:, np.newaxis]
    correlation: Frames = (product / np.sqrt(np.maximum(power, 1.0))).astype(np.float32)
    return correlation


def _likeness(sound: Frames, lags: npt.NDArray[np.integer], sample_rate: int) -> Frames:
    """Return how well each row's end correlates with what was there each of `lags`, (m, L), before: (m, L)."""
    end = sound.shape[1]
    compared = round(COMPARED_MS * sample_rate / 1000)
    at = np.arange(end - compared, end, max(1, compared // _FINE_SAMPLES))
    rows = np.arange(len(sound))[:, np.newaxis, np.newaxis]
    lagged, last = sound[rows, at - lags[:, :, np.newaxis]], sound[:, at]
    product = np.einsum("mlk,mk->ml", lagged, last)
    power = np.vecdot(lagged, lagged) * np.vecdot(last, last)[:, np.newaxis]
    likeness: Frames = product / np.sqrt(np.maximum(power, 1.0))
    return likeness
