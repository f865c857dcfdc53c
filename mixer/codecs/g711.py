"""G.711: mu-law and A-law as lookup tables over matrices of payloads (ITU-T G.711, RFC 3551 section 4.5.14).

Decides which code stands for which sample: the code whose value is nearest; of two equally near, the one of
greater magnitude, as G.711's decision values have it. Zero is the positive zero of either law. Which rows
hold which law is for the caller to know.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

MULAW_SILENCE: Final = 0xFF
ALAW_SILENCE: Final = 0xD5
"""Decodes to 8, not to 0: A-law has no zero."""


def _mulaw_values() -> npt.NDArray[np.int32]:
    """Value of every code in int16 units: 1 sign, 3 exponent and 4 mantissa bits, all inverted, bias 132."""
    bits = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((bits & 0x0F) << 3) + 132) << ((bits >> 4) & 7)) - 132
    return np.where(bits & 0x80, -magnitude, magnitude)


def _alaw_values() -> npt.NDArray[np.int32]:
    """Value of every code in int16 units: even bits inverted, sign set for positive, exponent 0 is linear."""
    bits = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (bits >> 4) & 7
    step = (bits & 0x0F) << 4
    magnitude = np.where(exponent == 0, step + 8, (step + 264) << np.maximum(exponent - 1, 0))
    return np.where(bits & 0x80, magnitude, -magnitude)


def _nearest_codes(values: npt.NDArray[np.int32], zero: int) -> npt.NDArray[np.uint8]:
    """Invert a decode table for every int16 sample, in the order of the sample's bits read as uint16."""
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    above = np.clip(np.searchsorted(ascending, sample), 1, 255)
    to_lower, to_upper = sample - ascending[above - 1], ascending[above] - sample
    take_upper = (to_upper < to_lower) | ((to_upper == to_lower) & (sample > 0))
    codes = order[np.where(take_upper, above, above - 1)]
    codes[values[codes] == values[zero]] = zero  # mu-law has two zeros; one of them is the silence code
    codes[sample == 0] = zero
    return codes.astype(np.uint8)


MULAW_DECODE: Final[npt.NDArray[np.float32]] = _mulaw_values().astype(np.float32)
ALAW_DECODE: Final[npt.NDArray[np.float32]] = _alaw_values().astype(np.float32)
MULAW_ENCODE: Final[npt.NDArray[np.uint8]] = _nearest_codes(_mulaw_values(), MULAW_SILENCE)
ALAW_ENCODE: Final[npt.NDArray[np.uint8]] = _nearest_codes(_alaw_values(), ALAW_SILENCE)


def decode(table: npt.NDArray[np.float32], payload: npt.NDArray[np.uint8], out: npt.NDArray[np.float32]) -> None:
    """Decode rows of one law.

    `table`: MULAW_DECODE or ALAW_DECODE; `payload`: (n, S) uint8, one sample a byte; `out`: (n, S) float32 in
    int16 units, exact integers, written in place.
    """
    np.take(table, payload, out=out, mode="clip")


def encode(table: npt.NDArray[np.uint8], frames: npt.NDArray[np.int16], out: npt.NDArray[np.uint8]) -> None:
    """Encode rows into one law.

    `table`: MULAW_ENCODE or ALAW_ENCODE; `frames`: (n, S) int16; `out`: (n, S) uint8, written in place.
    """
    # mode="clip" does no more than spare numpy a copy of `out`: a uint16 is always inside the table.
    np.take(table, frames.view(np.uint16), out=out, mode="clip")
