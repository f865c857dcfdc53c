"""Capture files: where sound goes while a recording runs, one file for each voice and sample rate.

Decides the format: a WAV file that players read to its end at any moment, in which every sample stands where
it belongs on the recording's time. So files of one recording line up by their beginnings, whatever rate they
are of and whatever the journal lost, and silence is a hole that takes no space. When to write is the
recorder's business; how the files are read is in `voices`.
"""

import os
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from recording.disk import open_file, write_all
from recording.feed import LATE_SAMPLES
from recording.timeline import TICKS_PER_S
from recording.wav import HEADER_BYTES, SAMPLE_BYTES, open_header

RATES_HZ: Final = (8_000, 16_000, 24_000, 48_000)

_NAME: Final = re.compile(r"(?:mix|track-(\d{1,6}))-(8000|16000|24000|48000)\.wav")
_MOST_WAITING_BYTES: Final = 1 << 20
"""More than this doesn't wait for the next flush, so that a feed that is far behind costs no memory."""


@dataclass(frozen=True, slots=True, order=True)
class CaptureName:
    """What a capture file is of: `track` is the recording's number of it, or None for the mix."""

    track: int | None
    sample_rate: int

    def __str__(self) -> str:
        voice = "mix" if self.track is None else f"track-{self.track}"
        return f"{voice}-{self.sample_rate}.wav"

    @staticmethod
    def parse(name: str) -> "CaptureName | None":
        """None if the name is no capture file's."""
        matched = _NAME.fullmatch(name)
        return CaptureName(None if matched[1] is None else int(matched[1]), int(matched[2])) if matched else None


def ticks_in(samples: int, sample_rate: int) -> int:
    """How many ticks a capture holds. One that was cut in half counts, what a late voice has left of one does not."""
    return -(-max(0, samples - LATE_SAMPLES) * TICKS_PER_S // sample_rate)


class CaptureWriter:
    """One capture file while it grows. `length_samples`: up to where it was written or extended."""

    def __init__(self, name: CaptureName, folder_fd: int) -> None:
        self.name = name
        self._fd = open_file(str(name), folder_fd, os.O_RDWR | os.O_CREAT)
        # Not empty if a recorder goes on with the recording of one that died.
        self.length_samples = max(0, os.fstat(self._fd).st_size - HEADER_BYTES) // SAMPLE_BYTES
        self._waiting = bytearray()
        self._waiting_at = 0
        self._dirty = True
        write_all(self._fd, open_header(name.sample_rate), 0)

    def add(self, at_samples: int, sound: npt.NDArray[np.int16]) -> int:
        """Keep the samples that begin at `at_samples` for the next flush. Returns the bytes written meanwhile."""
        written = 0
        if at_samples != self._waiting_at + len(self._waiting) // SAMPLE_BYTES or (
            len(self._waiting) > _MOST_WAITING_BYTES
        ):
            written = self.flush()
            self._waiting_at = at_samples
        self._waiting += sound.astype("<i2", copy=False).tobytes()
        return written

    def flush(self) -> int:
        """Write what waits. Returns how many bytes that was; raises OSError, and then they are lost."""
        waiting, self._waiting = self._waiting, bytearray()
        at_samples, self._waiting_at = self._waiting_at, self._waiting_at + len(waiting) // SAMPLE_BYTES
        if waiting:
            self._dirty = True
            write_all(self._fd, waiting, HEADER_BYTES + at_samples * SAMPLE_BYTES)
            self.length_samples = max(self.length_samples, self._waiting_at)
        return len(waiting)

    def extend(self, length_samples: int) -> None:
        """Make the file at least so long, with a hole at its end: that much silence was recorded."""
        if length_samples > self.length_samples:
            self._dirty = True
            os.ftruncate(self._fd, HEADER_BYTES + length_samples * SAMPLE_BYTES)
            self.length_samples = length_samples

    def sync(self) -> None:
        """Make durable what was flushed."""
        if self._dirty:
            os.fdatasync(self._fd)
            self._dirty = False

    def close(self) -> None:
        """Without flushing."""
        os.close(self._fd)
