"""How a feed lies in memory: a page of words, the directory of tracks, then the ring of records.

All numbers are in this machine's byte order, as both ends run on it. A position counts bytes written since the feed
was made and never turns back; it lies in the ring at `(position - base) % capacity`. The writer moves `base` to its own
position whenever all is read, so that a reader who keeps up makes the two use the same few pages over and over.

A record begins with its kind, its length in bytes (a multiple of 8), and its tick; none crosses the ring's end.
FRAME: ticks dropped and lost before it, the room's rate, the room's samples (0: silence), groups; then the room as
int16; then each group: rate, count, `count` indices of tracks, `count` rows of 20 ms int16. MARK: bytes of JSON.
PAD: only kind and length; what follows is at the ring's start.
"""

import fcntl
import mmap
import os
import struct
import threading
from typing import Final

from recording.catalog.feeds import LEAST_BYTES, MAGIC, MOST_BYTES, RING_AT, SEALS, VERSION

TICKS_PER_SECOND: Final = 50
RATES: Final = (8_000, 16_000, 24_000, 48_000)
NO_TRACK: Final = -1
LATE_SAMPLES: Final = 16
"""Of a voice whose rate is lower than the room's: by so many of its own samples the room has it later than its track,
as the mixer's filters delay what they resample."""

# Words of the first page. Those the reader writes lie in a cache line of their own.
AT_BEGAN_NS: Final = 3
AT_WRITE, AT_BASE, AT_DROPPED, AT_LOST, AT_TICKS, AT_TRACKS, AT_CLOSED = 8, 9, 10, 11, 12, 13, 14
AT_READ: Final = 24

PAD, FRAME, MARK = 1, 2, 3
PREFIX: Final = struct.Struct("=II")
"""Kind and length."""
FRAME_HEAD: Final = struct.Struct("=IIQQQIIII")
"""A FRAME's beginning: kind, length, tick, dropped, lost, rate, samples of the room, groups, 0."""
GROUP: Final = struct.Struct("=II")
"""Rate and count."""
MARK_HEAD: Final = struct.Struct("=IIQII")
"""A MARK's beginning: kind, length, tick, bytes of JSON, 0."""

_turn: Final = threading.Lock()
_turn.acquire()


class FeedError(Exception):
    """A descriptor that is no feed of ours."""


def padded(size: int) -> int:
    """The next multiple of 8."""
    return -(-size // 8) * 8


def fence() -> None:
    """Let what was stored before be seen before what is stored after, and what is loaded likewise.

    Some processors reorder stores, and Python has no word against it; to let a lock go and take it has that effect.
    """
    _turn.release()
    _turn.acquire()


def open_feed(fd: int) -> tuple[mmap.mmap, int]:
    """Map a feed; returns the mapping and the ring's bytes. `fd` stays the caller's. Raises FeedError."""
    try:
        sealed = fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
        size = os.fstat(fd).st_size
        if not sealed or not RING_AT + LEAST_BYTES <= size <= RING_AT + MOST_BYTES:
            raise FeedError("not a sealed file of a feed's size")
        memory = mmap.mmap(fd, size)
    except OSError as error:
        raise FeedError(str(error)) from error
    magic, version, capacity = struct.unpack_from("=QQQ", memory)
    if (magic, version) != (MAGIC, VERSION) or capacity != size - RING_AT or capacity % 8:
        memory.close()
        raise FeedError("not a feed of this version")
    return memory, capacity
