"""Fills in for sound that never came, with what was last heard (in the spirit of ITU-T G.711 Appendix I).

Decides what a row sounds like without its packets: as it would go on by itself (`prediction`), softer where there is
no pitch, and from the second frame on the last period of that again; all at full level for 10 ms, then fading until
nothing is left at 60 ms; and how the first sound that comes again takes over. Which rows miss what, and that codecs
with a concealment of their own (Opus) use that, is for the caller to know.

A loss needs two numbers a row beyond what was played, so that it goes on in phase: its period, and how long it has
lasted. The rest of what it needs is in the history: what was made up belongs into it like anything else.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from mixer.dsp.pitch import LONGEST_PERIOD_MS, find_period
from mixer.dsp.prediction import go_on

HISTORY_MS: Final = 60
"""How much of what was played `conceal`, `join` and `patch` take."""

_FULL_MS: Final = 10.0
_GONE_MS: Final = 60.0
_JOIN_MS: Final = 3.0
_FAINT: Final = 0.1
"""What was faded below that is not brought back to full level: it would be noise."""
_NOISE: Final = 0.2
"""Below this likeness there is no pitch; the longest period then buzzes least."""
_LEAST_DRIVE: Final = 0.5
"""What is less alike from period to period is repeated more softly, but noise not so much that it is heard to stop."""

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
        period[first], out[first] = _begin(history[first], sample_rate, out.shape[1])
    later = np.flatnonzero(made != 0)
    if later.size:
        out[later] = _go_on(history[later], np.asarray(made)[later], period[later], sample_rate, out.shape[1])


def join(history: Frames, made: Counts, period: Periods, sample_rate: int, frames: Frames) -> None:
    """Cross-fade from concealment into the first good frame after a loss, over 3 ms.

    `frames`: (m, S) float32, the good frames, changed in place; `made`: (m,) how many samples were concealed
    just before, at least 1; `history` and `period` as for `conceal`.
    """
    if len(made) == 0:
        return
    samples = _join_samples(sample_rate)
    tail = _go_on(history, np.asarray(made), period, sample_rate, samples)
    frames[:, :samples] = tail + (frames[:, :samples] - tail) * _fade_in(samples)


def patch(
    history: Frames, made: Counts, period: Periods, sample_rate: int, frames: Frames, holes: npt.NDArray[np.integer]
) -> None:
    """Make up what is missing of frames of which the rest has come.

    `frames`: (m, S) float32, changed in place; `holes`: (m, 2) where in each frame the one missing part begins
    and ends; the others as for `conceal`, `made` being meant at the frame's start. A part that ends before the
    frame does is cross-faded into what follows it, over 3 ms; so is a frame that begins with sound after a loss.
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


def _begin(history: Frames, sample_rate: int, samples: int) -> tuple[Periods, Frames]:
    """Return each row's period, (m,) int32, and the first samples of a loss, (m, samples)."""
    period, likeness = _repeated_period(history, sample_rate)
    drive = np.sqrt(np.maximum(likeness, _LEAST_DRIVE))
    return period, go_on(history, period, drive, sample_rate, samples) * _level(np.arange(samples), sample_rate)


def _go_on(history: Frames, made: Counts, period: Periods, sample_rate: int, samples: int) -> Frames:
    """Continue each row that ends in `made` made-up samples by its last period, faded by the time since its loss."""
    period = np.maximum(period, 1)  # a row that was let fall silent without concealment never had one
    phase = np.arange(samples) % period[:, np.newaxis]
    repeated = np.take_along_axis(history, phase + (history.shape[1] - period)[:, np.newaxis], axis=1)
    # What is repeated was faded when it was played, so that has to be undone first.
    age = made[:, np.newaxis]
    repeated /= np.maximum(_level(phase - period[:, np.newaxis] + age, sample_rate), _FAINT)
    sound: Frames = repeated * _level(age + np.arange(samples), sample_rate)
    return sound


def _repeated_period(history: Frames, sample_rate: int) -> tuple[Periods, Frames]:
    """Return the period to repeat of each row's end, (m,) int32 samples, and how alike the sound is at that lag."""
    period, likeness = find_period(history, sample_rate)
    longest = round(LONGEST_PERIOD_MS * sample_rate / 1000)
    return np.where(likeness >= _NOISE, period, longest).astype(np.int32), likeness


@cache
def _fade_in(samples: int) -> Frames:
    """From above 0 to below 1 in half a cosine, (samples,) float32."""
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(samples) + 1) / (samples + 1))).astype(np.float32)


def _level(age: npt.NDArray[np.integer], sample_rate: int) -> Frames:
    """The level of made-up samples so long after the last real one; of real ones, whose age is negative, it is 1."""
    ms = age * np.float32(1000 / sample_rate)
    level: Frames = np.clip((_GONE_MS - ms) / (_GONE_MS - _FULL_MS), 0.0, 1.0, dtype=np.float32)
    return level
