"""Making a feed: the shared memory through which a mixer hands a recording's sound to its recorder.

The server makes it, lends it to both, and keeps it, so that it outlives either. What is written into it is for
`recording.feed` to say; here is only what an empty one looks like.
"""

import fcntl
import mmap
import os
import struct
from typing import Final

DEFAULT_BYTES: Final = 32 << 20
"""Room for 9 s of a hundred voices at 8 kHz and for 3 s at 48 kHz: longer than a disk should stall."""
LEAST_BYTES: Final = 64 << 10
MOST_BYTES: Final = 1 << 30

MAGIC: Final = int.from_bytes(b"parleyrf", "little")
VERSION: Final = 1
WORDS_BYTES: Final = 4096
MOST_TRACKS: Final = 4096
TRACK_BYTES: Final = 256
"""A call id's length in the first byte, then the id in UTF-8."""
RING_AT: Final = WORDS_BYTES + MOST_TRACKS * TRACK_BYTES
SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
"""A file that shrinks while it is mapped kills who reads it."""


def create_feed(capacity: int = DEFAULT_BYTES) -> int:
    """Make an empty feed; returns its descriptor, which is the caller's. Memory is taken as it is written.

    `capacity`: bytes of the ring, rounded up to whole pages. Raises ValueError if that is out of bounds, OSError.
    """
    if not LEAST_BYTES <= capacity <= MOST_BYTES:
        raise ValueError(f"a feed of {capacity} bytes: it has {LEAST_BYTES} to {MOST_BYTES}")
    capacity = -(-capacity // mmap.PAGESIZE) * mmap.PAGESIZE
    fd = os.memfd_create("recording feed", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, RING_AT + capacity)
        os.pwrite(fd, struct.pack("=QQQ", MAGIC, VERSION, capacity), 0)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(fd)
        raise
    return fd
