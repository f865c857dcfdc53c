"""A voice that counts seconds by its pitch, and reading from any sound of it which seconds are there, and where."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

FRAME_MS = 20
_PER_SECOND = 1000 // FRAME_MS
_PITCHES_HZ = 400 + 100 * np.arange(24)
"""All are periodic in a frame, so that none is taken for another. After the last comes the first again."""
_SOFTEST = 0.25
"""Of the tone's amplitude: a frame with less of any pitch says nothing."""
AMPLITUDE = 6000.0
MOST_SHIFT_MS = 500
"""Between any two seconds of a call whose machine stalls; a second that is cut out or put in is more."""


def counting(seconds: int, rate: int) -> Pcm:
    """Second n has the n-th pitch; (seconds * rate,) int16."""
    time_s = np.arange(rate) / rate
    numbers = [_PITCHES_HZ[n % len(_PITCHES_HZ)] for n in range(seconds)]
    sound = np.concatenate([np.sin(2 * np.pi * pitch * time_s) for pitch in numbers])
    return np.asarray(np.rint(AMPLITUDE * sound), np.int16)


def seconds_in(pcm: Pcm, rate: int) -> NDArray[np.int64]:
    """For each 20 ms, which second's pitch they have (modulo 24); -1: none."""
    size = rate // _PER_SECOND
    frames = pcm[: len(pcm) // size * size].reshape(-1, size).astype(np.float64)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(size), _PITCHES_HZ) / rate)
    levels = 2 * np.abs(frames @ turns) / size
    return np.where(levels.max(axis=1) > _SOFTEST * AMPLITUDE, levels.argmax(axis=1), -1)


@dataclass(frozen=True, slots=True)
class Count:
    """What of a voice that counted is in a sound."""

    heard_ms: int
    """How much of it."""
    shifts_ms: dict[int, int]
    """By how much each second that is there whole begins later than the first of them would have it."""

    @property
    def in_place(self) -> bool:
        """Whether no second is further off than a jitter buffer may have put it: nothing is cut out or put in."""
        return all(abs(shift) <= MOST_SHIFT_MS for shift in self.shifts_ms.values())


def count(pcm: Pcm, rate: int) -> Count:
    """Look at a sound of less than 24 counted seconds."""
    seconds = seconds_in(pcm, rate)
    places = []
    for second in range(seconds.max(initial=-1) + 1):
        frames = np.flatnonzero(seconds == second)
        if len(frames) >= _PER_SECOND - 2:
            places.append((second, int(frames[0])))
    shifts = {second: (at - places[0][1] - (second - places[0][0]) * _PER_SECOND) * FRAME_MS for second, at in places}
    return Count(int(np.count_nonzero(seconds >= 0)) * FRAME_MS, shifts)
