"""Where a recording's sound begins and ends, for trimming, and whether it has any.

Decides what silence is: no sample above -54 dBov in ten milliseconds. What codecs make of silence, comfort noise
of a good line and dither stay below; the quietest word is far above. Trimming keeps a tenth of a second before
the first sound and after the last, so that no consonant loses its beginning.
"""

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

SILENT_PEAK: Final = 64
"""In int16 units: 20 * log10(64 / 32768) = -54 dBov."""
GUARD_MS: Final = 100

_PIECE_MS: Final = 1000
_STEP_MS: Final = 10


class Readable(Protocol):
    """What has sound: see Voice."""

    sample_rate: int

    def read(self, at_ms: int, count_ms: int) -> npt.NDArray[np.int16] | None:
        """Sound, or None for silence."""


def heard_span_ms(sound: Readable, length_ms: int) -> tuple[int, int] | None:
    """From when until when something is heard, without guard, rounded outwards to 10 ms; None if nothing is."""
    for at_ms in range(0, length_ms, _PIECE_MS):
        first = _loud_steps(sound, at_ms, min(_PIECE_MS, length_ms - at_ms))
        if first.size:
            break
    else:
        return None
    start_ms = at_ms + int(first[0]) * _STEP_MS
    for at_ms in reversed(range(0, length_ms, _PIECE_MS)):
        last = _loud_steps(sound, at_ms, min(_PIECE_MS, length_ms - at_ms))
        if last.size:
            return start_ms, min(length_ms, at_ms + (int(last[-1]) + 1) * _STEP_MS)
    raise AssertionError("what was heard from the front is heard from the back")


def trimmed_span_ms(heard: tuple[int, int], length_ms: int) -> tuple[int, int]:
    """What is left of a recording when silence is cut off both its ends."""
    return max(0, heard[0] - GUARD_MS), min(length_ms, heard[1] + GUARD_MS)


def _loud_steps(sound: Readable, at_ms: int, count_ms: int) -> npt.NDArray[np.intp]:
    """Which steps of a piece are not silent."""
    samples = sound.read(at_ms, count_ms)
    if samples is None:
        return np.empty(0, np.intp)
    step = sound.sample_rate * _STEP_MS // 1000
    whole = -(-samples.size // step) * step
    padded = np.zeros(whole, np.int32)
    padded[: samples.size] = samples
    return np.flatnonzero(np.abs(padded).reshape(-1, step).max(axis=1) > SILENT_PEAK)
