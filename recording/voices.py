"""Reading capture files: a voice is all files of the mix or of one track, as one sound at one rate.

Decides how files of several rates become one: each is resampled where it has sound, and they are added up, as
they don't overlap. Holes are not read. Times are whole milliseconds, in which all rates have whole samples.
"""

import bisect
import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import numpy as np
import numpy.typing as npt

from recording.capture import CaptureName
from recording.disk import open_file, write_all
from recording.resample import CONTEXT_MS, resample
from recording.wav import HEADER_BYTES, SAMPLE_BYTES, closed_header

Samples = npt.NDArray[np.int16]

_FULL_SCALE: Final = 32767.0


class Capture:
    """One capture file. `name` says what of; `samples`, how many it has, silence included."""

    def __init__(self, name: CaptureName, folder_fd: int) -> None:
        self.name = name
        self.fd = open_file(str(name), folder_fd, os.O_RDWR)
        # A sample cut in half by a crash is none.
        self.samples = max(0, os.fstat(self.fd).st_size - HEADER_BYTES) // SAMPLE_BYTES
        self._starts, self._ends = self._extents()

    @property
    def length_ms(self) -> int:
        """Rounded up."""
        return -(-self.samples * 1000 // self.name.sample_rate)

    @property
    def data_bytes(self) -> int:
        """What of it is no hole."""
        return sum(end - start for start, end in zip(self._starts, self._ends, strict=True)) * SAMPLE_BYTES

    def first_sound_ms(self) -> int | None:
        """Where its first sample is that isn't zero, rounded down; None if all are."""
        for start, end in zip(self._starts, self._ends, strict=True):
            for at in range(start, end, self.name.sample_rate):
                sound = np.flatnonzero(self._read(at, min(self.name.sample_rate, end - at)))
                if sound.size:
                    return (at + int(sound[0])) * 1000 // self.name.sample_rate
        return None

    def has_data(self, start: int, count: int) -> bool:
        """Whether anything but a hole is among `count` samples from `start` on."""
        index = bisect.bisect_right(self._ends, start)
        return index < len(self._starts) and self._starts[index] < start + count

    def read(self, start: int, count: int) -> Samples:
        """Samples from `start` on, which may be before the file's beginning; silence where it has none."""
        out = np.zeros(count, np.int16)
        before = max(0, -start)
        found = self._read(start + before, count - before)
        out[before : before + found.size] = found
        return out

    def finish(self, samples: int) -> int:
        """Make it a closed WAV file of that many samples, durably; returns how many it has if it may not grow. It
        stays readable as it was.
        """
        with suppress(OSError):
            os.ftruncate(self.fd, HEADER_BYTES + samples * SAMPLE_BYTES)
            self.samples = samples
        write_all(self.fd, closed_header(self.name.sample_rate, self.samples * SAMPLE_BYTES), 0)
        os.fsync(self.fd)
        return self.samples

    def close(self) -> None:
        """Give the file back."""
        os.close(self.fd)

    def _read(self, start: int, count: int) -> Samples:
        count = max(0, min(count, self.samples - start))
        content = os.pread(self.fd, count * SAMPLE_BYTES, HEADER_BYTES + start * SAMPLE_BYTES)
        return np.frombuffer(content[: len(content) // SAMPLE_BYTES * SAMPLE_BYTES], "<i2").astype(np.int16, copy=False)

    def _extents(self) -> tuple[list[int], list[int]]:
        """Where samples are that may be other than zero: starts and ends, ascending."""
        starts, ends = [], []
        offset, size = HEADER_BYTES, HEADER_BYTES + self.samples * SAMPLE_BYTES
        while offset < size:
            try:
                data = os.lseek(self.fd, offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # a hole to the end
            offset = min(size, os.lseek(self.fd, data, os.SEEK_HOLE))
            if data < size:
                starts.append((data - HEADER_BYTES) // SAMPLE_BYTES)
                ends.append(-(-(offset - HEADER_BYTES) // SAMPLE_BYTES))
        return starts, ends


class Voice:
    """The capture files of one voice, read at `sample_rate` Hz."""

    def __init__(self, captures: Iterable[Capture], sample_rate: int) -> None:
        self.captures = [capture for capture in captures if capture.samples]
        self.sample_rate = sample_rate

    @property
    def length_ms(self) -> int:
        """Up to the end of the longest file."""
        return max((capture.length_ms for capture in self.captures), default=0)

    def first_sound_ms(self) -> int | None:
        """Where its first sample is that isn't zero; None if all are."""
        found = [at_ms for capture in self.captures if (at_ms := capture.first_sound_ms()) is not None]
        return min(found, default=None)

    def read(self, at_ms: int, count_ms: int) -> Samples | None:
        """The sound of `count_ms` from `at_ms` on: (count_ms * sample_rate / 1000,) int16. None if it is a hole."""
        total: npt.NDArray[np.float32] | None = None
        for capture in self.captures:
            per_ms = capture.name.sample_rate // 1000
            context_ms = 0 if capture.name.sample_rate == self.sample_rate else CONTEXT_MS
            start, count = (at_ms - context_ms) * per_ms, (count_ms + 2 * context_ms) * per_ms
            if not capture.has_data(start, count):
                continue
            if len(self.captures) == 1 and not context_ms:
                return capture.read(start, count)
            sound = capture.read(start, count).astype(np.float32)
            if context_ms:
                sound = resample(sound, capture.name.sample_rate, self.sample_rate)
            total = sound if total is None else total + sound
        if total is None:
            return None
        return np.clip(np.rint(total), -_FULL_SCALE - 1, _FULL_SCALE).astype(np.int16)
