"""Keeps rows within +-32767 by turning them down for a while instead of cutting their peaks off.

Decides how much and how fast. There is no look-ahead beyond the frame at hand, hence no delay: the gain falls
within 2 ms of the frame's start, and what sticks out until then is bent. It comes back with a time constant
of 150 ms. A row that never gets too loud is left as it is, bit by bit, at the price of finding its peak.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

CEILING: Final = 32767.0

_KNEE: Final = 29204.0
"""1 dB below the ceiling: where a peak is brought to, and where bending starts. Whole, as its distance to
the ceiling is, so that their sum is the ceiling even in float32."""
_ATTACK_MS: Final = 2
_RELEASE_MS: Final = 150.0
_FRAME_MS: Final = 20.0
_RELEASED: Final = np.float32(0.99)
"""Above this the gain's next goal is 1.0 itself, so that the row becomes free again."""
_KEPT: Final = np.float32(np.exp(-_FRAME_MS / _RELEASE_MS))

Frames = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float32]


def limit(frames: Frames, gain: Gains, sample_rate: int) -> None:
    """Limit one frame of each row, in place.

    `frames`: (n, S) float32 in int16 units, S = 20 ms; afterwards no sample exceeds +-32767. `gain`: (n,)
    float32, 1.0 at first, where each row's gain stands at the end of its last frame; updated. `sample_rate`:
    Hz.
    """
    if frames.size == 0 or (frames.max() <= CEILING and frames.min() >= -CEILING and gain.min() == 1.0):
        return  # what nearly every tick comes to, at half the price of a peak for each row
    peak = np.maximum(frames.max(axis=1), -frames.min(axis=1))
    busy = np.flatnonzero((peak > CEILING) | (gain != 1.0))
    peak, before = peak[busy], gain[busy]
    after = np.ones_like(peak)
    np.divide(_KNEE, peak, out=after, where=peak > CEILING)
    falls = after < before
    if falls.any():
        _attack(frames, busy[falls], before[falls], after[falls], sample_rate * _ATTACK_MS // 1000)
    if not falls.all():
        rises = ~falls
        after[rises] = _release(frames, busy[rises], before[rises], after[rises])
    gain[busy] = after


def _attack(frames: Frames, rows: npt.NDArray[np.intp], before: Gains, after: Gains, samples: int) -> None:
    """Bring the gain down within the frame's first `samples` and bend what is too loud there."""
    first = frames[rows, :samples]
    # The last frame ended unbent, so this one must not start bent: no knee below its first sample.
    knee = np.clip(np.abs(first[:, :1]) * before[:, np.newaxis], _KNEE, CEILING - 1.0)
    first *= before[:, np.newaxis] + (after - before)[:, np.newaxis] * _rise(samples)
    frames[rows, :samples] = _bend(first, knee)
    # From here on the gain is where it has to be, and the peak is at the knee or below.
    frames[rows, samples:] *= after[:, np.newaxis]


def _bend(loud: Frames, knee: Frames) -> Frames:
    """Squeeze what exceeds the knee, (n, 1), into the room between it and the ceiling."""
    room = np.float32(CEILING) - knee
    magnitude = np.abs(loud)
    bent = knee + room * np.tanh((magnitude - knee) / room)
    return np.where(magnitude > knee, np.copysign(np.minimum(bent, np.float32(CEILING)), loud), loud)


def _release(frames: Frames, rows: npt.NDArray[np.intp], before: Gains, allowed: Gains) -> Gains:
    """Let the gain come back across the whole frame, as far as its peak allows; return where it ends."""
    after = 1.0 - (1.0 - before) * _KEPT
    after[after > _RELEASED] = 1.0
    np.minimum(after, allowed, out=after)
    frames[rows] *= before[:, np.newaxis] + (after - before)[:, np.newaxis] * _rise(frames.shape[1])
    return after


@cache
def _rise(samples: int) -> Frames:
    """From just above 0 to 1 in equal steps, (samples,) float32."""
    return np.arange(1, samples + 1, dtype=np.float32) / np.float32(samples)
