"""What a caller sends: speech, silence and digits, one packet every 20 ms of an absolute schedule.

Pure but for the encoder it holds: `now` is an argument, and the packets that are due come back as bytes.
Packet `n` is due at `started_s + n * 20 ms` and carries the sound whose first sample has that same local time:
on this line of time a sound is where its packet leaves; filling the packet first, as a real telephone must, is
20 ms more.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from server.caller.codecs import PACKET_MS, Codec, Pcm, encoder
from server.caller.wire import RtpPacket, pack_digit, pack_rtp

_BEHIND_S: Final = 0.5
"""Later than this (a stopped process), packets are left out instead of sent in one burst."""
_END_PACKETS: Final = 3
"""RFC 4733 §2.5.1.4: the end of a digit is sent three times."""
_PAUSE_PACKETS: Final = 3
"""Sound between two digits, so that the same digit twice is two presses to any receiver."""


@dataclass(slots=True)
class _Digit:
    digit: str
    packets: int
    """Packets from the press to its end, without the two repetitions of the end."""
    sent: int = 0
    timestamp: int = 0


class Outgoing:
    """The sending half of one call."""

    def __init__(
        self,
        codec: Codec,
        payload_type: int,
        *,
        ssrc: int,
        sequence: int,
        timestamp: int,
        started_s: float,
        dtmf_payload_type: int | None = None,
    ) -> None:
        self.codec = codec
        self.ssrc = ssrc
        self.started_s = started_s
        self.packets = 0
        self.payload_bytes = 0
        self._payload_type = payload_type
        self._dtmf_payload_type = dtmf_payload_type
        self._encoder = encoder(codec)
        self._sequence = sequence
        self._first_timestamp = timestamp
        self._next = 0  # number of the next packet
        self._speech: deque[tuple[int, Pcm]] = deque()  # (first sample on our line of time, PCM), in order
        self._speech_end = 0
        self._digits: deque[_Digit] = deque()
        self._pause = 0

    @property
    def due_s(self) -> float:
        """When the next packet is due."""
        return self.started_s + self._next * PACKET_MS / 1000

    @property
    def said_until_s(self) -> float:
        """When the last sample that was given to `play` is over."""
        return self.started_s + self._speech_end / self.codec.sample_rate

    @property
    def digits_waiting(self) -> int:
        """Digits not yet sent to their end."""
        return len(self._digits)

    def timestamp_at(self, now: float) -> int:
        """The RTP timestamp of this moment, for sender reports."""
        return self._first_timestamp + round((now - self.started_s) * self.codec.clock_rate)

    def play(self, pcm: Pcm, at_s: float | None = None) -> float:
        """Queue int16 PCM at the codec's rate; return the local time of its first sample.

        It follows what is queued already, or starts exactly at `at_s`.

        Raises:
            ValueError: `at_s` is past, or falls into what is queued.
        """
        earliest = max(self._next * self.codec.frame_samples, self._speech_end)
        start = earliest if at_s is None else round((at_s - self.started_s) * self.codec.sample_rate)
        if start < earliest:
            raise ValueError(f"cannot play {earliest - start} samples ago")
        self._speech.append((start, pcm))
        self._speech_end = start + len(pcm)
        return self.started_s + start / self.codec.sample_rate

    def send_digit(self, digit: str, duration_ms: int = 100) -> None:
        """Queue a telephone-event (RFC 4733); sound gives way to it while it lasts.

        Raises:
            ValueError: not a telephone digit, or the call has no payload type for digits.
        """
        if self._dtmf_payload_type is None:
            raise ValueError("this call has no payload type for digits: give dtmf_payload_type")
        pack_digit(digit, 0, end=False)
        self._digits.append(_Digit(digit, max(2, duration_ms // PACKET_MS)))

    def due(self, now: float) -> list[bytes]:
        """Packets that are due, oldest first."""
        if now - self.due_s > _BEHIND_S:
            self._next = int((now - self.started_s) * 1000 / PACKET_MS)
        datagrams = []
        while self.due_s <= now:
            datagrams.append(self._packet())
        return datagrams

    def _packet(self) -> bytes:
        timestamp = self._first_timestamp + self._next * self.codec.clock_step
        frame = self._frame(self._next * self.codec.frame_samples)
        marker = self.packets == 0
        if self._digits and not self._pause:
            payload_type, payload, timestamp, marker = self._digit_payload(timestamp)
        else:
            self._pause = max(0, self._pause - 1)
            payload_type, payload = self._payload_type, self._encoder.encode(frame)
        datagram = pack_rtp(RtpPacket(payload_type, self._sequence, timestamp, self.ssrc, payload, marker))
        self._next += 1
        self._sequence += 1
        self.packets += 1
        self.payload_bytes += len(payload)
        return datagram

    def _frame(self, first: int) -> Pcm:
        samples = self.codec.frame_samples
        frame = np.zeros(samples, np.int16)
        while self._speech:
            start, pcm = self._speech[0]
            begin, end = max(first, start), min(first + samples, start + len(pcm))
            if begin < end:
                frame[begin - first : end - first] = pcm[begin - start : end - start]
            if start + len(pcm) > first + samples:
                break
            self._speech.popleft()
        return frame

    def _digit_payload(self, timestamp: int) -> tuple[int, bytes, int, bool]:
        press = self._digits[0]
        if not press.sent:
            press.timestamp = timestamp  # every packet of one press bears the time of its start
        press.sent += 1
        duration = min(press.sent, press.packets) * self.codec.clock_step
        payload = pack_digit(press.digit, duration, end=press.sent >= press.packets)
        if press.sent == press.packets + _END_PACKETS - 1:
            self._digits.popleft()
            self._pause = _PAUSE_PACKETS
        assert self._dtmf_payload_type is not None
        return self._dtmf_payload_type, payload, press.timestamp, press.sent == 1
