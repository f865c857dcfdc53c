"""Fills in for sound that never came, with what was last heard (in the spirit of ITU-T G.711 Appendix I).

Decides what a row sounds like without its packets: the last pitch period repeated, at full level for 10 ms,
then fading until nothing is left at 60 ms; and how the first sound that comes again takes over. Which rows
miss what, and that codecs with a concealment of their own (Opus) use that, is for the caller to know.

A loss needs two numbers a row beyond what was played, so that it goes on in phase: its period, and how long it has
lasted. The rest of what it needs is in the history: what was made up belongs into it like anything else.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mixer.dsp.pitch import LONGEST_PERIOD_MS, find_period

HISTORY_MS: Final = 60
"""How much of what was played `conceal`, `join` and `patch` take."""

_FULL_MS: Final = 10.0
_GONE_MS: Final = 60.0
_SEAM_MS: Final = 1.5
"""Over which the step from the last sample played to the first repeated one is spread."""
_JOIN_MS: Final = 4.0
_FAINT: Final = 0.1
"""What was faded below that is not brought back to full level: it would be noise."""
_NOISE: Final = 0.3
"""Below this likeness there is no pitch; the longest period then buzzes least."""

Frames = npt.NDArray[np.float32]
Periods = npt.NDArray[np.int32]
Counts = npt.NDArray[np.integer]


def conceal(history: Frames, made: Counts, period: Periods, sample_rate: int, out: Frames) -> None:
    """Make up the sound that comes next in each row.

    `history`: (m, H) float32, the last 60 ms that were played, what was made up included, latest last;
    `made`: (m,) how many samples at its end were made up already, 0 where a loss begins; `period`: (m,) int32
    samples, to be kept by the caller: set where a loss begins, used as it goes on; `out`: (m, S) float32, at most
    20 ms, written in place. Exactly 0 from 60 ms after the last real sample on.
    """
    if len(made) == 0:
        return
    first = np.flatnonzero(made == 0)
    if first.size:
        period[first] = _repeated_period(history[first], sample_rate)
    _go_on(history, made, period, sample_rate, out)


def join(history: Frames, made: Counts, period: Periods, sample_rate: int, frames: Frames) -> None:
    """Cross-fade from concealment into the first good frame after a loss, over 4 ms.

    `frames`: (m, S) float32, the good frames, changed in place; `made`: (m,) how many samples were concealed
    just before, at least 1; `history` and `period` as for `conceal`.
    """
    if len(made) == 0:
        return
    samples = _join_samples(sample_rate)
    tail = np.empty((len(made), samples), np.float32)
    _go_on(history, made, period, sample_rate, tail)
    frames[:, :samples] = tail + (frames[:, :samples] - tail) * _fade_in(samples)


def patch(
    history: Frames, made: Counts, period: Periods, sample_rate: int, frames: Frames, holes: npt.NDArray[np.integer]
) -> None:
    """Make up what is missing of frames of which the rest has come.

    `frames`: (m, S) float32, changed in place; `holes`: (m, 2) where in each frame the one missing part begins
    and ends; the others as for `conceal`, `made` being meant at the frame's start. A part that ends before the
    frame does is cross-faded into what follows it, over 4 ms; so is a frame that begins with sound after a loss.
    """
    begins, ends = holes[:, :1], holes[:, 1:]
    samples, length = frames.shape[1], history.shape[1]
    after = (begins[:, 0] > 0) & (made > 0)
    if after.any():
        joined, periods = frames[after], period[after]
        join(history[after], made[after], periods, sample_rate, joined)
        frames[after] = joined
    played = np.concatenate([history, frames], axis=1)
    before = np.take_along_axis(played, np.arange(length) + begins, axis=1)
    ongoing = np.where(begins[:, 0] == 0, made, 0)
    sound = np.zeros((len(frames), samples), np.float32)
    conceal(before, ongoing, period, sample_rate, sound)
    at = np.arange(samples)
    sound = np.take_along_axis(sound, np.maximum(at - begins, 0), axis=1)
    fade = _join_samples(sample_rate)
    weight = np.where(at < begins, 1.0, np.clip((at - ends + 1) / (fade + 1), 0.0, 1.0)).astype(np.float32)
    frames[:] = np.where(weight < 1, sound + (frames - sound) * weight, frames)


def _join_samples(sample_rate: int) -> int:
    return round(sample_rate * _JOIN_MS / 1000)


def _go_on(history: Frames, made: Counts, period: Periods, sample_rate: int, out: Frames) -> None:
    """Continue each row periodically into `out`, (m, any samples), faded by the time since its loss."""
    samples, end = out.shape[1], history.shape[1]
    period = np.maximum(period, 1)  # a row that was let fall silent without concealment never had one
    phase = np.arange(samples) % period[:, np.newaxis]
    repeated = np.take_along_axis(history, phase + (end - period)[:, np.newaxis], axis=1)
    starting = made == 0
    if starting.any():
        repeated[starting] = _smooth(
            history[starting], period[starting], phase[starting], repeated[starting], sample_rate
        )
    age = np.asarray(made)[:, np.newaxis]
    if not starting.all():
        # What these rows repeat was faded when it was played, so that has to be undone first.
        later = ~starting
        before = phase[later] - period[later, np.newaxis] + age[later]
        repeated[later] /= np.maximum(_level(before, sample_rate), _FAINT)
    np.multiply(repeated, _level(age + np.arange(samples), sample_rate), out)


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


def _repeated_period(history: Frames, sample_rate: int) -> Periods:
    """Return the period to repeat of each row's end, (m,) int32 samples."""
    period, likeness = find_period(history, sample_rate)
    longest = round(LONGEST_PERIOD_MS * sample_rate / 1000)
    return np.where(likeness >= _NOISE, period, longest).astype(np.int32)


@cache
def _fade_in(samples: int) -> Frames:
    """From above 0 to below 1 in half a cosine, (samples,) float32."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 1) / (samples + 1))).astype(np.float32)


def _level(age: npt.NDArray[np.integer], sample_rate: int) -> Frames:
    """The level of made-up samples so long after the last real one; of real ones, whose age is negative, it is 1."""
    ms = age * np.float32(1000 / sample_rate)
    level: Frames = np.clip((_GONE_MS - ms) / (_GONE_MS - _FULL_MS), 0.0, 1.0, dtype=np.float32)
    return level
