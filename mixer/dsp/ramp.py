"""Gains on rows: a gain that changes moves there over one frame, so that no step is heard."""

from functools import cache

import numpy as np
import numpy.typing as npt


def apply_gain(
    frames: npt.NDArray[np.float32], old_gain: npt.NDArray[np.float32], new_gain: npt.NDArray[np.float32]
) -> None:
    """Multiply rows by their gains, in place.

    `frames`: (n, S) float32; `old_gain`: (n,) float32, linear, that the row's last frame ended with;
    `new_gain`: (n,) float32 that this frame ends with. A row that stays at 1.0 is left as it is, bit by bit;
    one that stays elsewhere is multiplied; one that changes is ramped linearly, its last sample having the
    new gain.
    """
    if (touched := _rows((old_gain != 1.0) | (new_gain != 1.0))).size == 0:
        return
    moving = old_gain[touched] != new_gain[touched]
    if (steady := touched[~moving]).size:
        frames[steady] *= new_gain[steady, np.newaxis]
    if (ramped := touched[moving]).size:
        start = old_gain[ramped, np.newaxis]
        frames[ramped] *= start + (new_gain[ramped, np.newaxis] - start) * _rise(frames.shape[1])


def _rows(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    return np.flatnonzero(mask)


@cache
def _rise(samples: int) -> npt.NDArray[np.float32]:
    """From just above 0 to 1 in equal steps, (samples,) float32."""
    return np.arange(1, samples + 1, dtype=np.float32) / np.float32(samples)
