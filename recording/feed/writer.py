"""The mixer's end of a feed: never waits, makes no system call, and takes a tick in a few copies.

What does not fit is dropped and counted. Marks are few and are not dropped: they wait here, and no frame overtakes
them. What is recorded of whom is the mixer's business.
"""

import contextlib
import json
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recording.catalog.feeds import MOST_TRACKS, RING_AT, TRACK_BYTES, WORDS_BYTES
from recording.feed import layout as at
from recording.feed.layout import NO_TRACK, TICKS_PER_SECOND, FeedError, fence, open_feed, padded

LOUDEST: Final = np.float32(32767)
SOFTEST: Final = np.float32(-32768)
_MOST_MARK_BYTES: Final = 4096
_MOST: Final = 1 << 62


class Voices(NamedTuple):
    """Tracks that sound in a tick, all of one rate."""

    rate: int
    indices: NDArray[np.int64]
    """(count,): which tracks."""
    frames: NDArray[np.float32]
    """(count, rate / 50) in int16 units, whole numbers; what is out of range is cut off."""


class FeedWriter:
    """Writes to the feed behind `fd`, which stays the caller's. Raises FeedError.

    A feed that another writer left goes on: its tracks keep their indices.
    """

    def __init__(self, fd: int) -> None:
        self._memory, self._capacity = open_feed(fd)
        self._words = memoryview(self._memory)[:WORDS_BYTES].cast("Q")
        ring = np.frombuffer(self._memory, np.uint8, self._capacity, RING_AT)
        self._samples = ring.view(np.int16)
        self._numbers = ring.view(np.uint32)
        # Kept here and only told to the other end, which may write there what it wants.
        self._write, self._base, self._dropped, self._lost, self._ticks, self._began_ns = self._left_by_another()
        self._waiting: deque[bytes] = deque()
        """Marks for which there was no room yet."""
        self.tracks: dict[str, int] = {}
        """Indices by call id."""
        self._read_directory()

    @property
    def began_ns(self) -> int:
        """When tick 0 was, CLOCK_MONOTONIC; 0 if it was not yet."""
        return self._began_ns

    @began_ns.setter
    def began_ns(self, value: int) -> None:
        self._began_ns = self._words[at.AT_BEGAN_NS] = value

    @property
    def ticks(self) -> int:
        """Ticks that are over; also the number of the next one."""
        return self._ticks

    @ticks.setter
    def ticks(self, value: int) -> None:
        self._ticks = self._words[at.AT_TICKS] = value

    @property
    def dropped(self) -> int:
        """Ticks for which there was no room."""
        return self._dropped

    def lose(self, ticks: int) -> None:
        """Count ticks that the mixer left out because it was late."""
        self._lost += ticks
        self._words[at.AT_LOST] = self._lost

    def reopen(self) -> None:
        """Another writer closed it, or it is new: there is more to come."""
        self._words[at.AT_CLOSED] = 0

    def close(self) -> None:
        """Say that nothing more will come, and unmap the feed."""
        self._publish_marks()
        fence()
        self._words[at.AT_CLOSED] = 1
        self._words.release()
        del self._samples, self._numbers
        with contextlib.suppress(BufferError):  # a view that somebody still holds keeps it mapped, no more
            self._memory.close()

    def mark(self, tick: int, what: dict[str, Any]) -> None:
        """Say something that happened before the frame of `tick`; at most 4 KB of JSON, or ValueError."""
        text = json.dumps(what).encode()
        if len(text) > _MOST_MARK_BYTES:
            raise ValueError("a mark of so many bytes")
        length = padded(at.MARK_HEAD.size + len(text))
        record = at.MARK_HEAD.pack(at.MARK, length, tick, len(text), 0) + text
        self._waiting.append(record.ljust(length, b"\0"))
        self._publish_marks()

    def track(self, call_id: str, tick: int) -> int:
        """The index of a call's track, a new one if it has none; NO_TRACK if there are too many."""
        index = self.tracks.get(call_id)
        if index is not None:
            return index
        index, name = len(self.tracks), call_id.encode()
        if index >= MOST_TRACKS or len(name) >= TRACK_BYTES:
            return NO_TRACK
        self.tracks[call_id] = index
        start = WORDS_BYTES + index * TRACK_BYTES
        self._memory[start : start + 1 + len(name)] = bytes([len(name)]) + name
        fence()
        self._words[at.AT_TRACKS] = index + 1
        self.mark(tick, {"track": index, "call_id": call_id})
        return index

    def frame(self, tick: int, rate: int, room: NDArray[np.float32] | None, voices: list[Voices]) -> bool:
        """Write a tick; False, and counted, if there is no room.

        `room`: (rate / 50,) whole numbers in int16 range, None if it is silent. The voices' counts are positive.
        """
        if self._waiting:
            self._publish_marks()
        samples = 0 if room is None else len(room)
        length = at.FRAME_HEAD.size + padded(2 * samples)
        for group in voices:
            count = len(group.indices)
            length += at.GROUP.size + padded(4 * count) + padded(2 * group.rate // TICKS_PER_SECOND * count)
        offset = -1 if self._waiting else self._reserve(length)
        if offset < 0:
            self._dropped += 1
            self._words[at.AT_DROPPED] = self._dropped
            return False
        head = (at.FRAME, length, tick, self._dropped, self._lost, rate, samples, len(voices), 0)
        at.FRAME_HEAD.pack_into(self._memory, RING_AT + offset, *head)
        offset += at.FRAME_HEAD.size
        if room is not None:
            np.copyto(self._samples[offset // 2 : offset // 2 + samples], room, casting="unsafe")
            offset += padded(2 * samples)
        for group in voices:
            offset = self._put(group, offset)
        self._publish(length)
        return True

    def _put(self, group: Voices, offset: int) -> int:
        """Write one group at `offset`; returns where it ends."""
        count = len(group.indices)
        total = group.frames.size
        at.GROUP.pack_into(self._memory, RING_AT + offset, group.rate, count)
        offset += at.GROUP.size
        self._numbers[offset // 4 : offset // 4 + count] = group.indices
        offset += padded(4 * count)
        rows = self._samples[offset // 2 : offset // 2 + total].reshape(group.frames.shape)
        frames = group.frames
        if frames.max() <= LOUDEST and frames.min() >= SOFTEST:  # nearly always, and at half the price
            np.copyto(rows, frames, casting="unsafe")
        else:
            np.clip(frames, SOFTEST, LOUDEST, out=rows, casting="unsafe")
        return offset + padded(2 * total)

    def _publish_marks(self) -> None:
        while self._waiting:
            record = self._waiting[0]
            offset = self._reserve(len(record))
            if offset < 0:
                return
            start = RING_AT + offset
            self._memory[start : start + len(record)] = record
            self._publish(len(record))
            self._waiting.popleft()

    def _reserve(self, length: int) -> int:
        """Where in the ring a record of so many bytes may be written; -1 if there is no room.

        What has to be left free before the ring's end becomes a PAD.
        """
        read = self._words[at.AT_READ]
        if read == self._write and self._base != self._write:
            self._base = self._words[at.AT_BASE] = self._write
        offset = (self._write - self._base) % self._capacity
        rest = self._capacity - offset
        pad = rest if length > rest else 0
        used = self._write - read  # the other end may have written anything there
        if not 0 <= used <= self._capacity - pad - length:
            return -1
        if pad:
            at.PREFIX.pack_into(self._memory, RING_AT + offset, at.PAD, pad)
            self._publish(pad)
            return 0
        return offset

    def _publish(self, length: int) -> None:
        """What was written is there for the reader."""
        fence()
        self._write += length
        self._words[at.AT_WRITE] = self._write

    def _left_by_another(self) -> list[int]:
        words = (at.AT_WRITE, at.AT_BASE, at.AT_DROPPED, at.AT_LOST, at.AT_TICKS, at.AT_BEGAN_NS)
        values = [self._words[word] for word in words]
        if max(values) > _MOST:
            raise FeedError("numbers that no writer leaves")
        return values

    def _read_directory(self) -> None:
        """The tracks that another writer gave indices to; what is no call id ends the list."""
        for index in range(min(self._words[at.AT_TRACKS], MOST_TRACKS)):
            start = WORDS_BYTES + index * TRACK_BYTES
            entry = self._memory[start : start + TRACK_BYTES]
            try:
                call_id = entry[1 : 1 + entry[0]].decode()
            except UnicodeDecodeError:
                return
            if call_id in self.tracks:
                return
            self.tracks[call_id] = index
