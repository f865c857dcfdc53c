"""Fills in for frames that never came, with what was last heard (in the spirit of ITU-T G.711 Appendix I).

Decides what a row sounds like without its packets: the last pitch period repeated, at full level for 10 ms,
then fading until nothing is left at 60 ms; and how the first frame that comes again takes over. Which rows
miss a frame, and that codecs with a concealment of their own (Opus) use that, is for the caller to know.

A loss needs one number a row beyond what was played, its period, so that it goes on in phase. The rest of
what it needs is in the history: concealed frames belong into it like any others.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

HISTORY_MS: Final = 60
"""How much of what was played `conceal` and `join` take."""

_SHORTEST_PERIOD_MS: Final = 2.5
_LONGEST_PERIOD_MS: Final = 15.0
_FULL_MS: Final = 10.0
_GONE_MS: Final = 60.0
_FRAME_MS: Final = 20.0
_GONE_FRAMES: Final = 3
"""So many frames into a loss, nothing is left."""
_SEAM_MS: Final = 1.5
"""Over which the step from the last sample played to the first repeated one is spread."""
_JOIN_MS: Final = 4.0
_COARSE_HZ: Final = 4_000
"""Rate at which the pitch is looked for; it is refined at the row's own."""
_COMPARED_MS: Final = 20.0
_NOISE: Final = 0.3
"""Below this correlation there is no pitch; the longest period then buzzes least."""

Frames = npt.NDArray[np.float32]
Periods = npt.NDArray[np.int32]
Counts = npt.NDArray[np.integer]


def conceal(history: Frames, missed: Counts, period: Periods, sample_rate: int, out: Frames) -> None:
    """Make up one frame of each row that misses one.

    `history`: (m, H) float32, the last 60 ms that were played, concealed frames included, latest last;
    `missed`: (m,) how many frames are missing already just before this one, 0 for the first; `period`: (m,)
    int32 samples, to be kept by the caller: set at a row's first missing frame, used at those after it;
    `out`: (m, S) float32, S = 20 ms, written in place. Exactly 0 from the fourth missing frame on.
    """
    if len(missed) == 0:
        return
    first = np.flatnonzero(missed == 0)
    if first.size:
        period[first] = _find_period(history[first], sample_rate)
    _go_on(history, missed, period, sample_rate, out)


def join(history: Frames, missed: Counts, period: Periods, sample_rate: int, frames: Frames) -> None:
    """Cross-fade from concealment into the first good frame after a loss, over 4 ms.

    `frames`: (m, S) float32, the good frames, changed in place; `missed`: (m,) how many frames were concealed
    just before, at least 1; `history` and `period` as for `conceal`.
    """
    if len(missed) == 0:
        return
    samples = round(sample_rate * _JOIN_MS / 1000)
    tail = np.empty((len(missed), samples), np.float32)
    _go_on(history, missed, period, sample_rate, tail)
    frames[:, :samples] = tail + (frames[:, :samples] - tail) * _fade_in(samples)


def _go_on(history: Frames, missed: Counts, period: Periods, sample_rate: int, out: Frames) -> None:
    """Continue each row periodically into `out`, (m, any samples), faded by the time since its loss."""
    samples, end = out.shape[1], history.shape[1]
    fade, level_before = _levels(sample_rate)
    period = np.maximum(period, 1)  # a row that was let fall silent without concealment never had one
    phase = np.arange(samples) % period[:, np.newaxis]
    repeated = np.take_along_axis(history, phase + (end - period)[:, np.newaxis], axis=1)
    starting = missed == 0
    if starting.any():
        repeated[starting] = _smooth(
            history[starting], period[starting], phase[starting], repeated[starting], sample_rate
        )
    if not starting.all():
        # What these rows repeat was faded when it was played, so that has to be undone first.
        later = ~starting
        before = phase[later] - period[later, np.newaxis]
        repeated[later] /= level_before[np.minimum(missed[later], _GONE_FRAMES)[:, np.newaxis], before]
    np.multiply(repeated, fade[np.minimum(missed, _GONE_FRAMES), :samples], out)


def _smooth(
    history: Frames,
    period: Periods,
    phase: npt.NDArray[np.integer],
    repeated: Frames,
    sample_rate: int,
) -> Frames:
    """Take the steps out of a period repeated for the first time: where it wraps, and where it starts.

    The last quarter of each period fades into what came before the period's start, so that its end leads into
    its start. What the first sample would then step by is added to it, and less and less to those after it.
    """
    wide = period[:, np.newaxis]
    earlier = np.take_along_axis(history, phase + (history.shape[1] - 2 * wide), axis=1)
    quarter = wide // 4
    weight = np.clip((phase - (wide - quarter) + 1) / quarter, 0.0, 1.0, dtype=np.float32)
    smooth: Frames = repeated + (earlier - repeated) * weight
    step = history[:, -1:] - np.take_along_axis(history, history.shape[1] - 1 - wide, axis=1)
    fading = 1.0 - _fade_in(round(sample_rate * _SEAM_MS / 1000))
    smooth[:, : fading.size] += step * fading
    return smooth


def _find_period(history: Frames, sample_rate: int) -> Periods:
    """Return the pitch period of each row's end, (m,) int32 samples, by normalised autocorrelation."""
    step = sample_rate // _COARSE_HZ
    shortest, longest = _coarse(_SHORTEST_PERIOD_MS), _coarse(_LONGEST_PERIOD_MS)
    correlation = _correlations(history.reshape(len(history), -1, step).mean(axis=2), shortest, longest)
    best = correlation.argmax(axis=1)
    pitched = correlation.max(axis=1) >= _NOISE
    period = (longest - best) * step
    around = np.arange(-(step * 3 // 4), step * 3 // 4 + 1)
    lags = np.clip(period[:, np.newaxis] + around, shortest * step, longest * step)
    period = np.take_along_axis(lags, _closest(history, lags, sample_rate)[:, np.newaxis], axis=1)[:, 0]
    return np.where(pitched, period, longest * step).astype(np.int32)


def _coarse(ms: float) -> int:
    return round(ms * _COARSE_HZ / 1000)


def _correlations(coarse: Frames, shortest: int, longest: int) -> Frames:
    """Correlate each row's end with what was there each lag before: (m, lags), longest first, 1 at most."""
    compared, end = _coarse(_COMPARED_MS), coarse.shape[1]
    last = coarse[:, end - compared :]
    past = coarse[:, end - compared - longest : end - shortest]
    product = np.einsum("mlk,mk->ml", sliding_window_view(past, compared, axis=1), last)
    power_until = np.zeros((len(past), past.shape[1] + 1))
    np.cumsum(np.square(past, dtype=np.float64), axis=1, out=power_until[:, 1:])
    power = power_until[:, compared:] - power_until[:, :-compared]
    power *= np.vecdot(last, last)[:, np.newaxis]
    correlation: Frames = (product / np.sqrt(np.maximum(power, 1.0))).astype(np.float32)
    return correlation


def _closest(history: Frames, lags: npt.NDArray[np.integer], sample_rate: int) -> npt.NDArray[np.intp]:
    """Return which of each row's `lags`, (m, L), correlates best with its end, (m,), at the row's own rate.

    160 samples of the last 20 ms are enough to tell, at any rate.
    """
    end = history.shape[1]
    at = np.arange(end - round(_COMPARED_MS * sample_rate / 1000), end, max(1, sample_rate // 8000))
    rows = np.arange(len(history))[:, np.newaxis, np.newaxis]
    lagged = history[rows, at - lags[:, :, np.newaxis]]
    product = np.einsum("mlk,mk->ml", lagged, history[:, at])
    likeness: Frames = product / np.sqrt(np.maximum(np.vecdot(lagged, lagged), 1.0))
    closest: npt.NDArray[np.intp] = likeness.argmax(axis=1)
    return closest


@cache
def _fade_in(samples: int) -> Frames:
    """From above 0 to below 1 in half a cosine, (samples,) float32."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 1) / (samples + 1))).astype(np.float32)


@cache
def _levels(sample_rate: int) -> tuple[Frames, Frames]:
    """Return the level of each sample of each missing frame, and of each sample before it.

    Both (frames, S) float32 with a row for each count of frames already missing, the last for all further
    ones. The second is indexed from the frame's start backwards, by -1 to -S, and never so small that
    dividing by it matters.
    """
    samples = round(sample_rate * _FRAME_MS / 1000)
    start_ms = np.arange(_GONE_FRAMES + 1)[:, np.newaxis] * _FRAME_MS
    into_ms = np.arange(samples) * (1000 / sample_rate)

    def level(ms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.clip((_GONE_MS - ms) / (_GONE_MS - _FULL_MS), 0.0, 1.0)

    before = np.maximum(level(start_ms - _FRAME_MS + into_ms), 0.1)
    return level(start_ms + into_ms).astype(np.float32), before.astype(np.float32)
