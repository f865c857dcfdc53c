"""Puts received sound on a line of time: in order, in its place by RTP timestamp, silence where nothing came.

`Reorder` decides the order packets are decoded in, `Timeline` where their samples stand. Neither reads a clock
or decodes; time of arrival is an argument. Nobody waits to hear this in real time, so the delay can be
generous.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from server.caller.codecs import Codec, Pcm
from server.caller.wire import RtpPacket

_HOLD_PACKETS: Final = 8
"""How many later packets may arrive before a missing one is given up: 160 ms."""
_JUMP_S: Final = 2.0
"""A timestamp this far from the time of arrival starts anew at the time of arrival."""


class Sound(NamedTuple):
    """PCM with a place in time."""

    pcm: Pcm
    """int16, `(samples,)`."""
    rate: int
    """Hz."""
    starts_at_s: float
    """Local monotonic time of sample 0, in seconds."""

    def index_at(self, time_s: float) -> int:
        """Sample index of a moment; negative or past the end if the sound does not reach there."""
        return round((time_s - self.starts_at_s) * self.rate)


@dataclass(slots=True)
class ReceiveCounts:
    """What came, in packets. `lost` is RFC 3550 A.3: expected by sequence number, less those that came."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicates: int = 0


class Reorder:
    """Gives packets of one SSRC back in sequence order, each once."""

    def __init__(self) -> None:
        self.counts = ReceiveCounts()
        self.highest = 0
        """Extended highest sequence number seen."""
        self._first = 0
        self._next: int | None = None
        self._waiting: dict[int, tuple[RtpPacket, float]] = {}
        self._recent: set[int] = set()

    def push(self, packet: RtpPacket, arrived_s: float) -> list[tuple[RtpPacket, float]]:
        """Take a packet; return those that are now in order, with their times of arrival."""
        sequence = self._extend(packet.sequence)
        if sequence in self._recent:
            self.counts.duplicates += 1
            return []
        self._recent.add(sequence)
        if len(self._recent) > 512:
            self._recent = {seen for seen in self._recent if seen > self.highest - 256}
        self.counts.received += 1
        self._first = min(self._first, sequence)
        self.counts.lost = self.highest - self._first + 1 - self.counts.received
        if self._next is not None and sequence < self._next:
            self.counts.late += 1
            return []
        self._waiting[sequence] = (packet, arrived_s)
        return self._release(keep=_HOLD_PACKETS)

    def flush(self) -> list[tuple[RtpPacket, float]]:
        """Return all that still wait, in order."""
        return self._release(keep=0)

    def _extend(self, sequence: int) -> int:
        if self._next is None:
            self._next = self._first = self.highest = sequence
            return sequence
        extended = self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000
        self.highest = max(self.highest, extended)
        return extended

    def _release(self, keep: int) -> list[tuple[RtpPacket, float]]:
        released = []
        while self._waiting and self._next is not None:
            if self._next not in self._waiting:
                if len(self._waiting) <= keep:
                    break
                self._next = min(self._waiting)
            released.append(self._waiting.pop(self._next))
            self._next += 1
        return released


class Timeline:
    """Decoded sound of one stream, growing at its end."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._blocks: list[Pcm] = []
        self._begin = self._end = 0  # sample positions of what is kept
        self._origin: int | None = None  # position 0 on the unwrapped RTP clock
        self._clock = 0  # unwrapped RTP clock of the last packet
        self._starts_at_s = 0.0

    def place(self, timestamp: int, pcm: Pcm, arrived_s: float) -> None:
        """Put decoded samples where their timestamp says, silence before them if there is a gap.

        The line is tied to local time by the packet that took the least time to come: position `p` is the
        moment `starts_at_s + p / rate`.
        """
        position = self._position(timestamp, arrived_s)
        skip = self._end - position
        if skip >= len(pcm):
            return  # all of it was covered before
        if skip > 0:
            pcm = pcm[skip:]
        elif skip < 0:
            self._append(np.zeros(-skip, np.int16))
        self._append(pcm)

    def sound(self) -> Sound:
        """Everything kept, as one array."""
        pcm = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int16)
        self._blocks = [pcm]
        rate = self._codec.sample_rate
        return Sound(pcm, rate, self._starts_at_s + self._begin / rate)

    def take(self) -> Sound:
        """Everything kept, which is then forgotten, so that an hour-long call need not fit in memory."""
        sound = self.sound()
        self._blocks = []
        self._begin = self._end
        return sound

    def _append(self, pcm: Pcm) -> None:
        self._blocks.append(pcm)
        self._end += len(pcm)

    def _position(self, timestamp: int, arrived_s: float) -> int:
        rate, clock_rate = self._codec.sample_rate, self._codec.clock_rate
        if self._origin is None:
            self._origin = self._clock = timestamp
            self._starts_at_s = arrived_s
        self._clock += ((timestamp - self._clock + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        position = (self._clock - self._origin) * rate // clock_rate
        by_arrival = round((arrived_s - self._starts_at_s) * rate)
        if abs(position - by_arrival) > _JUMP_S * rate:
            position = max(by_arrival, self._end)
            self._origin = self._clock - position * clock_rate // rate
        self._starts_at_s = min(self._starts_at_s, arrived_s - position / rate)
        return position
