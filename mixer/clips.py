"""Sound that nobody says: PCM lent by the server, and where each leg that is played something stands in it.

A clip comes as a sealed memfd for each sample rate that is needed, is mapped and read where it lies. Nothing is decoded
or resampled here. Everyone who is played a clip hears it from its start.
"""

import fcntl
import mmap
import os
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown

Rows = NDArray[np.int64]
NOTHING: Final = -1
_SAMPLE_BYTES: Final = 2
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_WRITE
"""Without these the file could be cut while it is mapped, and reading it would kill the process."""


class ClipError(Exception):
    """A descriptor that holds no such clip."""


class Clips:
    """The clips lent to a mixer, by id and rate; `number` stands for an id in columns."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._ids: dict[int, str] = {}
        self._pcm: dict[tuple[int, int], NDArray[np.int16]] = {}
        self._next = 0

    def lend(self, clip_id: str, sample_rate: int, samples: int, fd: int) -> None:
        """Map a clip at one rate; `fd` is closed. Raises ClipError, after which nothing is kept."""
        try:
            sealed = fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS == _SEALS
            if not sealed or samples < 1 or os.fstat(fd).st_size < samples * _SAMPLE_BYTES:
                raise ClipError("not a sealed file of so many samples")
            mapped = mmap.mmap(fd, samples * _SAMPLE_BYTES, prot=mmap.PROT_READ)
        except OSError as error:
            raise ClipError(str(error)) from error
        finally:
            os.close(fd)
        if clip_id not in self._numbers:
            self._numbers[clip_id] = self._next
            self._ids[self._next] = clip_id
            self._next += 1
        self._pcm[self._numbers[clip_id], sample_rate] = np.frombuffer(mapped, np.int16)

    def forget(self, clip_id: str) -> int:
        """Unmap a clip at all rates; returns the number it had, NOTHING if it was never lent."""
        number = self._numbers.pop(clip_id, NOTHING)
        if number != NOTHING:
            del self._ids[number]
            self._pcm = {key: pcm for key, pcm in self._pcm.items() if key[0] != number}
        return number

    def number(self, clip_id: str) -> int:
        """The number of a clip, NOTHING if it is not lent."""
        return self._numbers.get(clip_id, NOTHING)

    def id_of(self, number: int) -> str:
        """The id of a clip that is lent."""
        return self._ids[number]

    def has(self, number: int, sample_rate: int) -> bool:
        """Whether a clip was lent at this rate."""
        return (number, sample_rate) in self._pcm

    def pcm(self, number: int, sample_rate: int) -> NDArray[np.int16]:
        """A clip's samples at a rate at which it is lent."""
        return self._pcm[number, sample_rate]

    def ticks(self, number: int) -> int:
        """How many ticks a clip lasts, the last one perhaps not to its end."""
        return max(
            frame_count(len(pcm), rate // 50, loop=False) for (at, rate), pcm in self._pcm.items() if at == number
        )

    def frames(self, number: int, index: Rows, sample_rate: int) -> NDArray[np.int16]:
        """(len(index), samples of a tick) int16: these ticks of a clip; past its end there is silence."""
        pcm, samples = self._pcm[number, sample_rate], sample_rate // 50
        whole = pcm[: len(pcm) // samples * samples].reshape(-1, samples)
        out = np.zeros((len(index), samples), np.int16)
        inside = index < len(whole)
        out[inside] = whole[index[inside]]
        rest = pcm[len(whole) * samples :]
        out[index == len(whole), : len(rest)] = rest
        return out


def frame_count(samples: int, frame: int, loop: bool) -> int:
    """Ticks that a clip lasts: a loop drops what is left of its last tick, so that it never pauses."""
    return max(1, samples // frame) if loop else -(-samples // frame)


class Programs:
    """What the legs of one table are played while they do not hear the mix. Columns by row."""

    def __init__(self, capacity: int, clips: Clips, sample_rate: int, samples: int) -> None:
        self._clips, self._rate, self.samples = clips, sample_rate, samples
        self.clip = np.full(capacity, NOTHING, np.int64)
        self.index = np.zeros(capacity, np.int64)
        """The tick of the clip that is next."""
        self.loop = np.zeros(capacity, bool)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        self.clip = grown(self.clip, capacity, NOTHING)
        self.index, self.loop = grown(self.index, capacity), grown(self.loop, capacity)

    def give(self, row: int, number: int, loop: bool) -> None:
        """Play a clip, which is lent at the table's rate, to a leg, from its start."""
        self.clip[row], self.index[row], self.loop[row] = number, 0, loop

    def stop(self, row: int) -> None:
        """Play nothing to a leg."""
        self.clip[row] = NOTHING

    def forget(self, number: int) -> None:
        """A clip is returned: end it wherever it plays."""
        self.clip[self.clip == number] = NOTHING

    def advance(self, rows: Rows) -> list[tuple[int, int]]:
        """These legs were played a tick; returns (row, clip) of those whose clip has ended."""
        self.index[rows] += 1
        ended = []
        for number in np.unique(self.clip[rows]).tolist():
            length = len(self._clips.pcm(number, self._rate))
            mine = rows[self.clip[rows] == number]
            loops = self.loop[mine]
            self.index[mine[loops]] %= frame_count(length, self.samples, loop=True)
            once = mine[~loops]
            over = once[self.index[once] >= frame_count(length, self.samples, loop=False)]
            ended += [(row, number) for row in over.tolist()]
            self.clip[over] = NOTHING
        return ended
