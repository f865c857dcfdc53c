"""A clip: sound that is ready to be mixed, in memory that nobody can change any more.

A mixer is lent a clip by descriptor, at the rate it mixes at, and maps it. Because the memory is sealed, no process
that holds it can alter, shorten or lengthen what another one plays.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

RATES: Final = (8_000, 16_000, 24_000, 48_000)
"""The rates at which a mixer mixes, and so those of which every clip has its samples."""
SAMPLE_BYTES: Final = 2
_TOLERANCE_MS: Final = 2.0
"""Resamplers round the ends up or down by a few samples."""

_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


@dataclass(frozen=True, slots=True)
class Clip:
    """Sound at all RATES: int16 little-endian mono in sealed memory files.

    `clip_id` is derived from the content: equal ids are equal sound. `samples` and `fds` map a rate in Hz to the
    number of samples and to the descriptor; the descriptors belong to the store that made the clip.
    """

    clip_id: str
    duration_ms: int
    samples: Mapping[int, int]
    fds: Mapping[int, int]

    @property
    def size_bytes(self) -> int:
        """Memory that the clip takes, at all rates together."""
        return SAMPLE_BYTES * sum(self.samples.values())

    def close(self) -> None:
        """Close the descriptors; only for who owns the clip, and only once."""
        for fd in self.fds.values():
            os.close(fd)


def memory_file(name: str) -> int:
    """Return the descriptor of a new, empty memory file that can be sealed."""
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


@contextlib.contextmanager
def clip_files(rates: Sequence[int]) -> Iterator[dict[int, int]]:
    """Give an empty memory file for each rate; those that are still in the mapping at the end are closed."""
    fds: dict[int, int] = {}
    try:
        for rate in rates:
            fds[rate] = memory_file(f"clip-{rate}")
        yield fds
    finally:
        for fd in fds.values():
            os.close(fd)


def clip_id(digest: str) -> str:
    """Return the id of the clip whose content has this SHA-256, in hexadecimal."""
    return f"clip_{digest[:32]}"


def seal(fd: int) -> None:
    """Let nobody change the memory file's content or size any more. Raises OSError while it is mapped writable."""
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)


def sealed_clip(clip_id: str, fds: Mapping[int, int]) -> Clip:
    """Seal the memory files and return the clip of them.

    Raises ValueError if a file is empty or ends within a sample, or if the rates disagree on how long the clip is.
    """
    for fd in fds.values():
        seal(fd)
    sizes = {rate: os.fstat(fd).st_size for rate, fd in fds.items()}
    if any(size == 0 or size % SAMPLE_BYTES for size in sizes.values()):
        raise ValueError("a clip has to hold whole samples, and at least one, at each rate")
    samples = {rate: size // SAMPLE_BYTES for rate, size in sizes.items()}
    duration_ms = [1000 * count / rate for rate, count in samples.items()]
    if max(duration_ms) - min(duration_ms) > _TOLERANCE_MS:
        raise ValueError("a clip has to last equally long at each rate")
    return Clip(clip_id, round(max(duration_ms)), samples, dict(fds))
