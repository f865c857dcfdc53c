"""L16: linear PCM, 16 bit, big-endian, one channel, at any rate (RFC 3551 section 4.5.11)."""

from typing import Final

import numpy as np
import numpy.typing as npt

_BIG_ENDIAN: Final = np.dtype(">i2")


def decode(payload: npt.NDArray[np.uint8], out: npt.NDArray[np.float32]) -> None:
    """Turn payloads into frames.

    `payload`: (n, 2 S) uint8, bytes of a row adjacent, rows anywhere; `out`: (n, S) float32 in int16 units,
    written in place.
    """
    np.copyto(out, payload.view(_BIG_ENDIAN))


def encode(frames: npt.NDArray[np.int16], out: npt.NDArray[np.uint8]) -> None:
    """Turn frames into payloads.

    `frames`: (n, S) int16; `out`: (n, 2 S) uint8, bytes of a row adjacent, written in place.
    """
    np.copyto(out.view(_BIG_ENDIAN), frames)
