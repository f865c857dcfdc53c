"""Reading the files of a finished recording again: its WAV as pieces, a FLAC track by its place in time.

Decides how published files are opened and decoded. What is made of them is for `render` and `split`.
"""

import os
from collections.abc import Iterator
from typing import Final, cast

import av
import numpy as np
import numpy.typing as npt

from recording.catalog.manifest import Manifest, PublishedTrack
from recording.disk import open_file, path_below
from recording.wav import HEADER_BYTES, SAMPLE_BYTES

Samples = npt.NDArray[np.int16]

PIECE_MS: Final = 1000


def audio_pieces(folder_fd: int, manifest: Manifest) -> Iterator[Samples]:
    """The published mix, a second at a time."""
    assert manifest.files.audio is not None, "asked of a recording without audio"
    piece_bytes = manifest.sample_rate * PIECE_MS // 1000 * SAMPLE_BYTES
    with os.fdopen(open_file(manifest.files.audio.name, folder_fd, os.O_RDONLY), "rb") as file:
        file.seek(HEADER_BYTES)
        while content := file.read(piece_bytes):
            yield np.frombuffer(content, "<i2")


class TrackReader:
    """A published track, read forwards: what is before its first sample and behind its last is silence."""

    def __init__(self, folder_fd: int, track: PublishedTrack, sample_rate: int) -> None:
        self._ahead = round(track.joined_offset_s * sample_rate)
        """Samples of silence before what `_decoded` has."""
        os.close(open_file(track.name, folder_fd, os.O_RDONLY))  # refuses a link in its place
        self._container = av.open(path_below(folder_fd, track.name))
        self._frames = self._container.decode(audio=0)
        self._decoded = np.zeros(0, np.int16)

    def read(self, count: int) -> Samples | None:
        """The next samples; None for silence."""
        if self._ahead >= count:
            self._ahead -= count
            return None
        parts = [np.zeros(self._ahead, np.int16)]
        missing, self._ahead = count - self._ahead, 0
        while missing:
            if not self._decoded.size:
                frame = next(self._frames, None)
                if frame is None:
                    break
                self._decoded = cast(Samples, frame.to_ndarray().reshape(-1))
            part, self._decoded = self._decoded[:missing], self._decoded[missing:]
            missing -= part.size
            parts.append(part)
        if len(parts) == 1:
            return None
        return np.concatenate((*parts, np.zeros(missing, np.int16)))

    def close(self) -> None:
        """Give the file back."""
        self._container.close()
