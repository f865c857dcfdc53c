"""The recorder's end of a feed. Each record is copied out and checked before anything is believed.

A writer that was killed in the middle of a record has not published it. If the ring holds what no writer of ours
leaves there, all of it is skipped and counted: the ticks in it are missing, which is silence.
"""

import contextlib
import json
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recording.catalog.feeds import MOST_TRACKS, RING_AT, WORDS_BYTES
from recording.feed import layout as at
from recording.feed.layout import RATES, TICKS_PER_SECOND, fence, open_feed, padded

Pcm = NDArray[np.int16]
_MOST_GROUPS: Final = 64
_MOST_TICKS: Final = 50 * 3600 * 24 * 366
"""A recording of a year."""


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms of the conference."""

    tick: int
    dropped: int
    """Ticks that found no room, since the recording began."""
    lost: int
    """Ticks that the mixer left out because it was late, since the recording began."""
    mix: tuple[int, Pcm] | None
    """The room's rate and samples; None: silence."""
    tracks: list[tuple[int, int, Pcm]]
    """Index, rate and samples of each voice that sounds."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened before the frame of `tick`."""

    tick: int
    what: dict[str, Any]


class FeedReader:
    """Reads the feed behind `fd`, which stays the caller's, from where the last reader stopped. Raises FeedError."""

    def __init__(self, fd: int) -> None:
        self._memory, self._capacity = open_feed(fd)
        self._words = memoryview(self._memory)[:WORDS_BYTES].cast("Q")
        self._read = self._words[at.AT_READ]
        self.skipped = 0
        """How often what was in the ring was no record."""

    @property
    def closed(self) -> bool:
        """The writer will write no more. Look at it before the last `read`."""
        return self._words[at.AT_CLOSED] != 0

    @property
    def ticks(self) -> int:
        """Ticks that are over, as the writer says; at most a year's."""
        return min(self._words[at.AT_TICKS], _MOST_TICKS)

    @property
    def dropped(self) -> int:
        """Ticks that found no room, up to now."""
        return min(self._words[at.AT_DROPPED], _MOST_TICKS)

    @property
    def lost(self) -> int:
        """Ticks that the mixer left out because it was late, up to now."""
        return min(self._words[at.AT_LOST], _MOST_TICKS)

    def close(self) -> None:
        """Unmap the feed."""
        self._words.release()
        with contextlib.suppress(BufferError):
            self._memory.close()

    def read(self, at_most: int) -> list[Frame | Mark]:
        """The next records, not more than `at_most`; empty if there is nothing new. They are copies."""
        write = self._words[at.AT_WRITE]
        if write == self._read:
            return []
        fence()
        base = self._words[at.AT_BASE]
        records: list[Frame | Mark] = []
        if not base <= self._read < write <= self._read + self._capacity:
            return self._skip_to(write, records)
        while self._read != write and len(records) < at_most:
            offset = (self._read - base) % self._capacity
            try:
                length, record = self._record(offset, min(write - self._read, self._capacity - offset))
            except (ValueError, struct.error):
                return self._skip_to(write, records)
            self._read += length
            if record is not None:
                records.append(record)
        self._words[at.AT_READ] = self._read
        return records

    def _skip_to(self, write: int, records: list[Frame | Mark]) -> list[Frame | Mark]:
        self.skipped += 1
        self._read = self._words[at.AT_READ] = write
        return records

    def _record(self, offset: int, most: int) -> tuple[int, Frame | Mark | None]:
        """The record at `offset` and its length; None for a PAD. Raises ValueError or struct.error."""
        start = RING_AT + offset
        kind, length = at.PREFIX.unpack_from(self._memory, start)
        if length % 8 or not at.PREFIX.size <= length <= most:
            raise ValueError("a record that does not fit")
        if kind == at.PAD:
            return length, None
        data = self._memory[start : start + length]  # from here on it is ours, and nobody changes it
        if kind == at.FRAME:
            return length, _frame(data)
        if kind == at.MARK:
            return length, _mark(data)
        raise ValueError("a record of no kind")


def _mark(data: bytes) -> Mark:
    _, _, tick, size, _ = at.MARK_HEAD.unpack_from(data)
    try:
        what = json.loads(data[at.MARK_HEAD.size : at.MARK_HEAD.size + size])
    except RecursionError as error:
        raise ValueError("a mark of too many levels") from error
    if not isinstance(what, dict) or tick > _MOST_TICKS:
        raise ValueError("a mark that says nothing")
    return Mark(tick, what)


def _frame(data: bytes) -> Frame:
    _, _, tick, dropped, lost, rate, samples, groups, _ = at.FRAME_HEAD.unpack_from(data)
    if rate not in RATES or samples not in (0, rate // TICKS_PER_SECOND) or groups > _MOST_GROUPS:
        raise ValueError("a frame of no such shape")
    if tick > _MOST_TICKS:
        raise ValueError("a frame of no such time")
    offset = at.FRAME_HEAD.size
    mix = (rate, np.frombuffer(data, np.int16, samples, offset)) if samples else None
    offset += padded(2 * samples)
    tracks: list[tuple[int, int, Pcm]] = []
    for _ in range(groups):
        offset = _group(data, offset, tracks)
    return Frame(tick, dropped, lost, mix, tracks)


def _group(data: bytes, offset: int, tracks: list[tuple[int, int, Pcm]]) -> int:
    """Add a group's tracks; returns where it ends. Raises ValueError or struct.error."""
    rate, count = at.GROUP.unpack_from(data, offset)
    if rate not in RATES or not 0 < count <= MOST_TRACKS:
        raise ValueError("a group of no such shape")
    offset += at.GROUP.size
    indices = np.frombuffer(data, np.uint32, count, offset)
    offset += padded(4 * count)
    if indices.max() >= MOST_TRACKS:
        raise ValueError("no such track")
    samples = rate // TICKS_PER_SECOND
    rows = np.frombuffer(data, np.int16, count * samples, offset).reshape(count, samples)
    tracks += [(index, rate, row) for index, row in zip(indices.tolist(), rows, strict=True)]
    return offset + padded(2 * rows.size)
