"""Numbers that wrap: from the 16 or 32 bits of a header to a count that only grows.

Decides one thing, the nearest-wrap rule: of all numbers with the given low bits, the one closest to the
number known before is meant (a distance of exactly half the range counts as backwards). RFC 3550 appendix A.1
needs this for sequence numbers; timestamps follow the same rule. Works on Python ints and on int64 arrays.
"""

from typing import overload

import numpy as np
from numpy.typing import NDArray


@overload
def difference(newer: int, older: int, bits: int) -> int: ...
@overload
def difference(newer: NDArray[np.int64], older: NDArray[np.int64] | int, bits: int) -> NDArray[np.int64]: ...
def difference(newer: int | NDArray[np.int64], older: int | NDArray[np.int64], bits: int) -> int | NDArray[np.int64]:
    """How far `newer` is ahead of `older`, modulo 2**`bits`: from -2**(bits-1) to 2**(bits-1) - 1."""
    half = 1 << (bits - 1)
    return ((newer - older + half) & ((1 << bits) - 1)) - half


@overload
def extend(previous: int, low16: int) -> int: ...
@overload
def extend(previous: NDArray[np.int64], low16: NDArray[np.integer]) -> NDArray[np.int64]: ...
def extend(previous: int | NDArray[np.int64], low16: int | NDArray[np.integer]) -> int | NDArray[np.int64]:
    """The extended sequence number nearest to `previous` whose low 16 bits are `low16`; may be below zero."""
    return previous + (((low16 - previous + 0x8000) & 0xFFFF) - 0x8000)


@overload
def extend32(previous: int, low32: int) -> int: ...
@overload
def extend32(previous: NDArray[np.int64], low32: NDArray[np.integer]) -> NDArray[np.int64]: ...
def extend32(previous: int | NDArray[np.int64], low32: int | NDArray[np.integer]) -> int | NDArray[np.int64]:
    """The extended timestamp nearest to `previous` whose low 32 bits are `low32`; may be below zero."""
    return previous + (((low32 - previous + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000)
