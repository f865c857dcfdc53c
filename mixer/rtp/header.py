"""RTP fixed headers of a whole batch at once: read from received datagrams, written for sent ones.

Decides which datagrams are well-formed RTP, which are RTCP on the same port, and why the others are dropped.
Leaves to others who sent them (`mixer.receive`), what an RTCP compound says (`rtcp`) and what the payload
means (codecs). All work is a fixed number of array operations, however many datagrams there are; rows with a
CSRC list, an extension, padding or a fault cost a second, larger set, so that an ordinary batch does not pay
for them.
"""

from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels

FIXED_BYTES: Final = 12
"""Size of the fixed header, RFC 3550 section 5.1."""

PLAIN: Final = 0x80
"""First byte of version 2 without padding, extension or CSRC."""
_PADDING: Final = 0x20
_EXTENSION: Final = 0x10
_CSRC_COUNT: Final = 0x0F
_LEAST_BYTES: Final = 8
"""Neither RTP nor an RTCP packet that names its sender is shorter."""
RTCP_FIRST: Final = 192
RTCP_TYPES: Final = 32
"""RFC 5761 section 4: a second byte of 192..223 is an RTCP packet type; RTP leaves types 64..95 unused."""


class DropReason(IntEnum):
    """Why a datagram is not usable RTP; `NONE` for good RTP and for RTCP."""

    NONE = 0
    TOO_SHORT = 1
    TOO_LONG = 2
    """Longer than its row: what came is cut off."""
    BAD_VERSION = 3
    BAD_CSRC = 4
    """The CSRC list runs past the end."""
    BAD_EXTENSION = 5
    """The header extension runs past the end."""
    BAD_PADDING = 6
    """The padding count is 0 or reaches into the header."""
    EMPTY = 7
    """A sound header with no payload: a keep-alive. Nothing to play, but a sign of life."""


class Headers:
    """What `parse` found, a column per field, a row per datagram.

    Rows that are not `ok` hold zeros in the header columns, except `EMPTY` ones, whose header is sound.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.ok: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        """RTP with a payload."""
        self.is_rtcp: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        """To be read by `rtcp.parse`; `ok` is False."""
        self.reason: NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        """A `DropReason`."""
        self.payload_type: NDArray[np.uint8] = np.zeros(capacity, np.uint8)
        self.marker: NDArray[np.bool_] = np.zeros(capacity, np.bool_)
        self.sequence: NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.timestamp: NDArray[np.int64] = np.zeros(capacity, np.int64)
        self.ssrc: NDArray[np.uint32] = np.zeros(capacity, np.uint32)
        self.offset: NDArray[np.int32] = np.zeros(capacity, np.int32)
        """Where the payload starts in the datagram, in bytes."""
        self.payload_length: NDArray[np.int32] = np.zeros(capacity, np.int32)
        """Bytes of payload, padding taken off."""
        self._head: NDArray[np.uint8] = np.zeros((capacity, FIXED_BYTES), np.uint8)
        self._halves = self._head.view(">u2")
        self._words = self._head.view(">u4")

    def columns(
        self,
    ) -> tuple[
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
        NDArray[Any],
    ]:
        """What compiled loops fill in, in the order they take it."""
        kinds = self.ok, self.is_rtcp, self.reason, self.payload_type, self.marker
        return (self._head, *kinds, self.sequence, self.timestamp, self.ssrc, self.offset, self.payload_length)


def parse(data: NDArray[np.uint8], length: NDArray[np.int32], n: int, out: Headers) -> None:
    """Read the headers of the first `n` datagrams into the first `n` rows of `out`.

    `data`: (B, stride) uint8, a datagram from column 0 of each row, stride at least 12. `length`: (B,) bytes
    received. Whatever the bytes are, nothing raises and nothing past `length` decides anything. RFC 3550
    sections 5.1 and 5.3.1.
    """
    loops = kernels.loops
    if loops is not None:
        if not loops.parse(data, length, n, *out.columns()):
            _parse_odd(data, length, np.flatnonzero(~out.ok[:n]), out)
        return
    head = out._head[:n]
    np.copyto(head, data[:n, :FIXED_BYTES])
    second = head[:, 1]
    out.sequence[:n] = out._halves[:n, 1]
    out.timestamp[:n] = out._words[:n, 1]
    out.ssrc[:n] = out._words[:n, 2]
    np.right_shift(second, 7, out=out.marker[:n].view(np.uint8))
    np.bitwise_and(second, 0x7F, out=out.payload_type[:n])
    out.offset[:n] = FIXED_BYTES
    payload_length = out.payload_length[:n]
    np.subtract(length[:n], FIXED_BYTES, out=payload_length)
    out.reason[:n] = DropReason.NONE
    out.is_rtcp[:n] = False
    ok = out.ok[:n]
    np.equal(head[:, 0], PLAIN, out=ok)
    ok &= payload_length > 0
    ok &= payload_length <= data.shape[1] - FIXED_BYTES
    ok &= second - np.uint8(RTCP_FIRST) >= RTCP_TYPES  # wraps below 192, so one comparison does for both ends
    if not ok.all():
        _parse_odd(data, length, np.flatnonzero(~ok), out)


def _parse_odd(data: NDArray[np.uint8], length: NDArray[np.int32], rows: NDArray[np.intp], out: Headers) -> None:
    """Settle the rows that are not plain RTP; RTCP first, as large conferences have some in every batch."""
    size = length[rows]
    second = out._head[rows, 1]
    rtcp = second - np.uint8(RTCP_FIRST) < RTCP_TYPES
    rtcp &= out._head[rows, 0] >> 6 == 2
    rtcp &= (size >= _LEAST_BYTES) & (size <= data.shape[1])
    out.is_rtcp[rows] = rtcp
    if rtcp.all():
        _clear(out, rows)
        return
    _clear(out, rows[rtcp])
    rows = rows[~rtcp]
    _parse_elaborate(data, length[rows].astype(np.int64), rows, out)


def _parse_elaborate(data: NDArray[np.uint8], size: NDArray[np.int64], rows: NDArray[np.intp], out: Headers) -> None:
    """Settle rows with a CSRC list, extension, padding or fault; each test sees what passed the last."""
    first = out._head[rows, 0]
    reason = np.zeros(len(rows), np.uint8)

    def drop(mask: NDArray[np.bool_], why: DropReason) -> None:
        reason[mask & (reason == DropReason.NONE)] = why

    drop(size < _LEAST_BYTES, DropReason.TOO_SHORT)
    drop(size > data.shape[1], DropReason.TOO_LONG)
    drop(first >> 6 != 2, DropReason.BAD_VERSION)
    drop(size < FIXED_BYTES, DropReason.TOO_SHORT)

    offset = FIXED_BYTES + 4 * (first & _CSRC_COUNT).astype(np.int64)
    drop(offset > size, DropReason.BAD_CSRC)

    extended = (first & _EXTENSION) != 0
    if extended.any():
        drop(extended & (offset + 4 > size), DropReason.BAD_EXTENSION)
        here = np.flatnonzero(extended & (reason == DropReason.NONE))
        at, row = offset[here], rows[here]
        words = (data[row, at + 2].astype(np.int64) << 8) | data[row, at + 3]
        offset[here] += 4 + 4 * words
        drop(extended & (offset > size), DropReason.BAD_EXTENSION)

    payload = size - offset
    padded = (first & _PADDING) != 0
    if padded.any():
        here = np.flatnonzero(padded & (reason == DropReason.NONE))
        count = data[rows[here], size[here] - 1].astype(np.int64)
        bad = (count == 0) | (count > payload[here])
        reason[here[bad]] = DropReason.BAD_PADDING
        payload[here] -= count
    drop(payload == 0, DropReason.EMPTY)

    out.reason[rows] = reason
    out.ok[rows] = reason == DropReason.NONE
    out.offset[rows] = offset
    out.payload_length[rows] = payload
    _clear(out, rows[(reason != DropReason.NONE) & (reason != DropReason.EMPTY)])


def _clear(out: Headers, rows: NDArray[np.intp]) -> None:
    """Leave no field of a header that is none: it may be of an older datagram in the same row."""
    if not len(rows):
        return
    out.payload_type[rows] = 0
    out.marker[rows] = False
    out.sequence[rows] = 0
    out.timestamp[rows] = 0
    out.ssrc[rows] = 0
    out.offset[rows] = 0
    out.payload_length[rows] = 0


def write(
    rows: NDArray[np.uint8],
    payload_type: NDArray[np.uint8],
    marker: NDArray[np.bool_],
    sequence: NDArray[np.int64],
    timestamp: NDArray[np.int64],
    ssrc: NDArray[np.int64],
) -> None:
    """Write a plain header (no padding, extension or CSRC) into each row.

    `rows`: (n, 12) uint8, the last axis contiguous, written in place. The others: (n,); `payload_type` below
    128; of `sequence`, `timestamp` and `ssrc` the low 16, 32 and 32 bits are written.
    """
    loops = kernels.loops
    if loops is not None:
        loops.write(len(rows), rows, payload_type, marker, sequence, timestamp, ssrc)
        return
    rows[:, 0] = PLAIN
    np.left_shift(marker.view(np.uint8), 7, out=rows[:, 1])
    rows[:, 1] |= payload_type
    rows.view(">u2")[:, 1] = sequence
    words = rows.view(">u4")
    words[:, 1] = timestamp
    words[:, 2] = ssrc
