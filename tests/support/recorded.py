"""What a feed holds, put on the conference's time: the room and each call's voice, silence where nothing came."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recording.catalog.feeds import DEFAULT_BYTES, create_feed
from recording.feed import FeedReader, Frame, Mark
from tests.support.conference import VirtualConference


class Recorded:
    """A recording of a conference in memory, from the next tick on."""

    def __init__(self, conference: VirtualConference, tracks: bool = True, capacity: int = DEFAULT_BYTES) -> None:
        self.conference = conference
        self.fd = create_feed(capacity)
        conference.mixer.record("rec", self.fd, tracks, conference.now_ns)
        self.reader = FeedReader(self.fd)
        self.frames: list[Frame] = []
        self.marks: list[tuple[int, dict[str, Any]]] = []
        self.call_of: dict[int, str] = {}

    def run(self, ticks: int) -> None:
        """Let so many ticks pass while somebody reads the feed."""
        for _ in range(ticks):
            self.conference.run(1)
            self.take()

    def take(self) -> None:
        """Read what is there."""
        while records := self.reader.read(64):
            for record in records:
                if isinstance(record, Frame):
                    self.frames.append(record)
                    continue
                assert isinstance(record, Mark)
                self.marks.append((record.tick, record.what))
                if "track" in record.what:
                    assert record.what["track"] not in self.call_of
                    self.call_of[record.what["track"]] = record.what["call_id"]

    def stop(self) -> None:
        """End it, if it runs, and read the rest."""
        self.conference.mixer.stop_recording()
        self.take()

    def room(self, rate: int = 8000) -> NDArray[np.float32]:
        """The room's sound; all of it must be of this rate."""
        return self._place(rate, [(frame.tick, frame.mix[1]) for frame in self.frames if frame.mix is not None])

    def voice(self, call_id: str, rate: int = 8000) -> NDArray[np.float32]:
        """A call's own voice."""
        heard = [(frame.tick, track) for frame in self.frames for track in frame.tracks]
        mine = [(tick, track) for tick, track in heard if self.call_of[track[0]] == call_id]
        assert {track[1] for _, track in mine} <= {rate}
        return self._place(rate, [(tick, track[2]) for tick, track in mine])

    def _place(self, rate: int, parts: list[tuple[int, NDArray[np.int16]]]) -> NDArray[np.float32]:
        samples = rate // 50
        out = np.zeros(self.reader.ticks * samples, np.float32)
        for tick, pcm in parts:
            assert len(pcm) == samples
            out[tick * samples : (tick + 1) * samples] = pcm
        return out

    @property
    def ticks(self) -> list[int]:
        """The numbers of the frames that came."""
        return [frame.tick for frame in self.frames]

    def close(self) -> None:
        """Unmap everything."""
        self.conference.mixer.stop_recording()
        self.reader.close()
        os.close(self.fd)
