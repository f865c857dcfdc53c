"""The two-channel view: one call's voice left, everybody else's right.

Decides what is in it: the tracks over the same time as the published mix, so that both play alongside. What a
coach whispers is in neither channel, as the room didn't hear it; it stays in the coach's own track.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Final

import numpy as np
import numpy.typing as npt

from recording.catalog.manifest import Manifest, PublishedTrack
from recording.limiting import Limiter
from recording.views import PIECE_MS, TrackReader

Floats = npt.NDArray[np.float32]

_WHISPER_GUARD_S: Final = 0.25
"""Cut off before and after what is known of a whisper: the server's notes of it are not exact."""


def split_pieces(folder_fd: int, manifest: Manifest, left_call_id: str) -> Iterator[npt.NDArray[np.int16]]:
    """Pieces of (2, n) samples, as many in all as the published mix has."""
    rate = manifest.sample_rate
    second = rate * PIECE_MS // 1000
    at, missing = manifest.trim.start_samples, manifest.samples
    # Left can't be too loud, but goes the same way: what comes out of a limiter comes late.
    limiters = (Limiter(rate), Limiter(rate))
    with ExitStack() as stack:
        voices = [
            stack.enter_context(closing(_Voice(folder_fd, manifest, track, at))) for track in manifest.files.tracks
        ]
        while missing:
            if at < manifest.trim.start_samples + manifest.samples:
                channels = np.zeros((2, second), np.float32)
                for voice in voices:
                    voice.add_to(channels[0 if voice.call_id == left_call_id else 1], at)
                at += second
                done = [limiter.process(channel) for limiter, channel in zip(limiters, channels, strict=True)]
            else:
                done = [limiter.flush() for limiter in limiters]
            piece = np.rint(np.stack(done)[:, :missing]).astype(np.int16)
            missing -= piece.shape[1]
            yield piece


class _Voice:
    """A track, read from `at` on without what it whispered."""

    def __init__(self, folder_fd: int, manifest: Manifest, track: PublishedTrack, at: int) -> None:
        self.call_id = track.call_id
        rate = manifest.sample_rate
        self._whispers = [
            (round((span.from_s - _WHISPER_GUARD_S) * rate), round((span.to_s + _WHISPER_GUARD_S) * rate))
            for participant in manifest.participants
            if participant.call_id == track.call_id
            for span in participant.coaching
        ]
        self._reader = TrackReader(folder_fd, track, rate)
        for skipped in range(0, at, rate):
            self._reader.read(min(rate, at - skipped))

    def add_to(self, channel: Floats, at: int) -> None:
        """Add the next samples, which stand at `at` in the room."""
        sound = self._reader.read(channel.size)
        if sound is None:
            return
        heard = sound.astype(np.float32)
        for since, until in self._whispers:
            heard[max(0, since - at) : max(0, until - at)] = 0.0
        channel += heard

    def close(self) -> None:
        """Give the file back."""
        self._reader.close()
