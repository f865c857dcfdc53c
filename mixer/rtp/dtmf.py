"""DTMF digits that come as RFC 4733 telephone-events, one receiver per leg.

Decides when an event is one digit: end packets come three times, long presses in segments, start packets
may be lost and the end may never come. Leaves to others which payload type carries events and what a digit
means. Time comes as mixer ticks, only to tell that a far end fell silent in the middle of a press.
"""

from dataclasses import dataclass
from typing import Final

from mixer.rtp.sequence import difference

DIGITS: Final = "0123456789*#ABCD"
"""Events 0..15, RFC 4733 section 3.2."""

SILENT_TICKS: Final = 15
"""300 ms: far ends repeat a running event every 20 to 50 ms, so by then its end is lost."""

_EVENT_BYTES: Final = 4
_END: Final = 0x80
_SEGMENT_UNITS: Final = 0xFFFF
"""Longest duration a packet can say; a longer press goes on in a new segment, section 2.5.1.3."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A press that ended."""

    digit: str
    duration_ms: int


@dataclass(slots=True)
class _Press:
    """The event being received, or, once told, the last one, so that its repeats are known."""

    event: int
    segment_start: int
    """RTP timestamp of the segment, which is what all its packets carry."""
    past_units: int
    """Duration of the segments before."""
    segment_units: int
    heard_tick: int
    told: bool = False


class DtmfReceiver:
    """Turns a leg's telephone-event payloads into digits.

    `clock_rate`: Hz of the event's RTP clock, 8000 unless the codec's is another (48000 beside Opus).
    """

    def __init__(self, clock_rate: int = 8000) -> None:
        self._clock_rate = clock_rate
        self._press: _Press | None = None
        self.malformed = 0
        """Payloads that are not whole events."""
        self.ignored = 0
        """Events that are no DTMF digit."""

    def feed(self, payload: bytes, timestamp: int, marker: bool, now_tick: int) -> list[Digit]:
        """Take a payload; returns the digits that ended with it, mostly none, at most one per event and one
        more.

        `timestamp`: 32 bits, of the packet. Packets may come late, twice or not at all.
        """
        if not payload or len(payload) % _EVENT_BYTES:
            self.malformed += 1
            return []
        digits: list[Digit] = []
        for at in range(0, len(payload), _EVENT_BYTES):  # section 2.5.1.4: events that follow without a gap
            event, flags = payload[at], payload[at + 1]
            units = int.from_bytes(payload[at + 2 : at + 4])
            if event < len(DIGITS):
                digits += self._event(event, bool(flags & _END), units, timestamp, marker and at == 0, now_tick)
            else:
                self.ignored += 1
            timestamp = (timestamp + units) & 0xFFFF_FFFF
        return digits

    def expire(self, now_tick: int) -> list[Digit]:
        """The running press, if nothing was heard of it for `SILENT_TICKS`."""
        press = self._press
        if press is None or press.told or now_tick - press.heard_tick < SILENT_TICKS:
            return []
        return self._tell(press)

    @property
    def pressing(self) -> bool:
        """A press is running: `expire` has something to look after."""
        return self._press is not None and not self._press.told

    def reset(self) -> list[Digit]:
        """Forget the stream, as on a new SSRC; a press that was running is over."""
        press, self._press = self._press, None
        return self._tell(press) if press is not None and not press.told else []

    def _event(self, event: int, end: bool, units: int, timestamp: int, marker: bool, now_tick: int) -> list[Digit]:
        digits: list[Digit] = []
        press = self._press
        ahead = 0 if press is None else difference(timestamp, press.segment_start, 32)
        if press is not None and -self._stale_units() <= ahead < 0:
            return []
        if press is None or ahead != 0:
            if press is not None and self._continues(press, event, ahead, marker):
                press.past_units += _SEGMENT_UNITS
                press.segment_start, press.segment_units = timestamp, 0
            else:
                if press is not None and not press.told:
                    digits += self._tell(press)
                press = self._press = _Press(event, timestamp, 0, 0, now_tick)
        if press.told:
            return digits
        press.segment_units = max(press.segment_units, units)
        press.heard_tick = now_tick
        return digits + self._tell(press) if end else digits

    def _stale_units(self) -> int:
        """How far back a timestamp is a late packet's; further back, the far end started its clock anew.

        A press's own packets carry its start, at most one segment ago, and the network delays them little.
        """
        return _SEGMENT_UNITS + 2 * self._clock_rate

    @staticmethod
    def _continues(press: _Press, event: int, ahead: int, marker: bool) -> bool:
        return not press.told and not marker and event == press.event and ahead == _SEGMENT_UNITS

    def _tell(self, press: _Press) -> list[Digit]:
        press.told = True
        units = press.past_units + press.segment_units
        return [Digit(DIGITS[press.event], units * 1000 // self._clock_rate)]
