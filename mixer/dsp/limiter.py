"""Keeps rows within +-32767 by turning them down for a while instead of cutting their peaks off.

Decides how much and how fast. There is no look-ahead beyond the frame at hand, hence no delay: the gain has fallen when
the frame's first peak comes; one that comes within the first 2 ms is bent. It comes back at two speeds, so that nothing
is heard to pump: in 150 ms to where it mostly was of late, and from there in a second. After a single bang that is
nearly all at once; under people who shout each other down the gain hardly moves, and with it whoever speaks softly
meanwhile. A row that never gets too loud is left as it is, bit by bit, at the price of finding its peak.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

CEILING: Final = 32767.0
NOW, HELD = 0, 1
"""Columns of a row's gains."""

KNEE: Final = 29204.0
"""1 dB below the ceiling: where a peak is brought to, and where bending starts. Whole, as its distance to
the ceiling is, so that their sum is the ceiling even in float32."""
_ATTACK_MS: Final = 2
_FRAME_MS: Final = 20.0
RELEASED: Final = np.float32(0.975)
"""0.2 dB below 1.0: above this the gain's next goal is 1.0 itself, so that the row becomes free again."""
KEPT: Final = np.float32(np.exp(-_FRAME_MS / 150.0))
"""What a frame leaves of the distance between the gain and the held one."""
HELD_KEPT: Final = np.float32(np.exp(-_FRAME_MS / 1000.0))
"""What it leaves of the distance between the held gain and 1.0."""
FOLLOWED: Final = np.float32(1 - np.exp(-_FRAME_MS / 500.0))
"""How much of its distance to a lower gain the held one goes in a frame: what is over in less is soon forgotten."""

Frames = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]


def unity(rows: int) -> Gains:
    """Gains of rows that were never too loud: (rows, 2) float32."""
    return np.ones((rows, 2), np.float32)


def attack_samples(sample_rate: int) -> int:
    """The time in which the gain is brought down, unless the peak is later."""
    return sample_rate * _ATTACK_MS // 1000


def limit(frames: Frames, gains: Gains, sample_rate: int) -> None:
    """Limit one frame of each row, in place.

    `frames`: (n, S) float32 in int16 units, S = 20 ms; afterwards no sample exceeds +-32767. `gains`: (n, 2) float32,
    as `unity` makes them at first: where each row's gain stands at the end of its last frame, and where it mostly
    stood; updated. `sample_rate`: Hz.
    """
    if frames.size == 0 or (frames.max() <= CEILING and frames.min() >= -CEILING and gains.min() == 1.0):
        return  # what nearly every tick comes to, at half the price of a peak for each row
    peak = np.maximum(frames.max(axis=1), -frames.min(axis=1))
    busy = np.flatnonzero((peak > CEILING) | (gains[:, NOW] != 1.0))
    peak, before = peak[busy], gains[busy, NOW]
    after, gains[busy, HELD] = _aims(peak, before, gains[busy, HELD])
    falls = after < before
    if falls.any():
        _fall(frames, busy[falls], before[falls], after[falls], attack_samples(sample_rate))
    rises = ~falls
    if rises.any():
        start = before[rises, np.newaxis]
        frames[busy[rises]] *= start + (after[rises, np.newaxis] - start) * _rise(frames.shape[1])
    gains[busy, NOW] = after


def _aims(peak: Gains, before: Gains, held: Gains) -> tuple[Gains, Gains]:
    """Where the gain is to be at the end of the frame, and the held one. It is never above the held one."""
    allowed = np.ones_like(peak)
    np.divide(KNEE, peak, out=allowed, where=peak > CEILING)
    held = 1.0 - (1.0 - held) * HELD_KEPT
    after = np.minimum(held - (held - before) * KEPT, allowed)
    held += (after - held) * FOLLOWED
    free = after > RELEASED
    after[free] = held[free] = 1.0
    return after, held


def _fall(frames: Frames, rows: Rows, before: Gains, after: Gains, attack_samples: int) -> None:
    """Bring the gain down by the time of the first peak, and bend what is too loud before it is down."""
    loud = frames[rows]
    over = np.abs(loud) * before[:, np.newaxis] > CEILING
    first = np.where(over.any(axis=1), over.argmax(axis=1), loud.shape[1])
    # The last frame ended unbent, so this one must not start bent: no knee below its first sample.
    knee = np.clip(np.abs(loud[:, :1]) * before[:, np.newaxis], KNEE, CEILING - 1.0)
    by = np.maximum(first, attack_samples).astype(np.float32)
    ramp = np.minimum(np.arange(1, loud.shape[1] + 1, dtype=np.float32) / by[:, np.newaxis], 1.0)
    loud *= before[:, np.newaxis] + (after - before)[:, np.newaxis] * ramp
    early = first < attack_samples
    loud[early, :attack_samples] = _bend(loud[early, :attack_samples], knee[early])
    frames[rows] = loud


def _bend(loud: Frames, knee: Frames) -> Frames:
    """Squeeze what exceeds the knee, (n, 1), into the room between it and the ceiling."""
    room = np.float32(CEILING) - knee
    magnitude = np.abs(loud)
    bent = knee + room * np.tanh((magnitude - knee) / room)
    return np.where(magnitude > knee, np.copysign(np.minimum(bent, np.float32(CEILING)), loud), loud)


@cache
def _rise(samples: int) -> Frames:
    """From just above 0 to 1 in equal steps, (samples,) float32."""
    return np.arange(1, samples + 1, dtype=np.float32) / np.float32(samples)
