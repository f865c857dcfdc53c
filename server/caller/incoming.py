"""What a caller is sent: sorts datagrams into sound, digits, reports and things that are not ours, and counts.

Pure but for the decoder it holds: the socket and the time of arrival are the caller's (`session`).
"""

from dataclasses import dataclass, replace

from server.caller.codecs import Codec, decoder
from server.caller.timeline import ReceiveCounts, Reorder, Sound, Timeline
from server.caller.wire import BYE, Reception, RtpPacket, is_rtcp, parse_digit, parse_rtp, rtcp_types


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """A packet as it came, for tests that look at payloads bit by bit."""

    packet: RtpPacket
    arrived_s: float
    """Local monotonic seconds."""


class Incoming:
    """The receiving half of one call."""

    def __init__(
        self,
        codec: Codec,
        payload_type: int,
        *,
        dtmf_payload_type: int | None = None,
        keep_packets: bool = False,
    ) -> None:
        self.codec = codec
        self.bye = False
        """The far end said that its stream is over."""
        self.unknown = 0
        """Datagrams that were neither RTP of our payload types nor RTCP."""
        self.undecodable = 0
        self.reports = 0
        self.digits = ""
        """RFC 4733 digits that ended."""
        self.packets: list[ReceivedPacket] = []
        self._payload_type = payload_type
        self._dtmf_payload_type = dtmf_payload_type
        self._digit_at: int | None = None  # RTP timestamp of the last digit, whose end comes three times
        self._keep_packets = keep_packets
        self._timeline = Timeline(codec)
        self._decoder = decoder(codec)
        self._reorder = Reorder()
        self._earlier = ReceiveCounts()  # of streams that ended by a change of SSRC
        self._ssrc: int | None = None
        self._jitter = 0.0
        self._transit: float | None = None
        self._reported = (0, 0)  # (expected, received) at the last report

    @property
    def counts(self) -> ReceiveCounts:
        """Packets so far, all streams together."""
        now, before = self._reorder.counts, self._earlier
        return ReceiveCounts(
            before.received + now.received,
            before.lost + max(0, now.lost),
            before.late + now.late,
            before.duplicates + now.duplicates,
        )

    def take(self, datagram: bytes, arrived_s: float) -> None:
        """Take one datagram from the call's far end. Nothing in it can raise."""
        if is_rtcp(datagram):
            self.reports += 1
            self.bye = self.bye or BYE in rtcp_types(datagram)
            return
        packet = parse_rtp(datagram)
        if packet is None or packet.payload_type not in (self._payload_type, self._dtmf_payload_type):
            self.unknown += 1
            return
        if packet.ssrc != self._ssrc:
            self._start_stream(packet.ssrc)
        if self._keep_packets:
            self.packets.append(ReceivedPacket(packet, arrived_s))
        self._measure_jitter(packet, arrived_s)
        self._place(self._reorder.push(packet, arrived_s))

    def sound(self) -> Sound:
        """All that was heard and not yet taken away."""
        return self._timeline.sound()

    def take_sound(self) -> Sound:
        """All that was heard since the last time, which is then forgotten."""
        return self._timeline.take()

    def finish(self) -> None:
        """Decode what still waited for an earlier packet."""
        self._place(self._reorder.flush())

    def reception(self) -> Reception | None:
        """The report block about the stream we are sent, since the last one; None before its first packet."""
        if self._ssrc is None:
            return None
        counts = self._reorder.counts
        expected = counts.received + counts.lost
        new_expected, new_received = expected - self._reported[0], counts.received - self._reported[1]
        self._reported = (expected, counts.received)
        fraction = max(0, new_expected - new_received) / new_expected if new_expected > 0 else 0.0
        return Reception(self._ssrc, fraction, counts.lost, self._reorder.highest, int(self._jitter))

    def _start_stream(self, ssrc: int) -> None:
        if self._ssrc is not None:
            self.finish()
            self._earlier = replace(self.counts)
            self._reorder = Reorder()
            self._decoder = decoder(self.codec)
            self._transit = None
            self._reported = (0, 0)
        self._ssrc = ssrc

    def _place(self, packets: list[tuple[RtpPacket, float]]) -> None:
        for packet, arrived_s in packets:
            if packet.payload_type == self._dtmf_payload_type:
                self._note_digit(packet)
                continue
            pcm = self._decoder.decode(packet.payload)
            if pcm is None:
                self.undecodable += 1
            else:
                self._timeline.place(packet.timestamp, pcm, arrived_s)

    def _note_digit(self, packet: RtpPacket) -> None:
        digit, end = parse_digit(packet.payload)
        if end and packet.timestamp != self._digit_at:
            self._digit_at = packet.timestamp
            self.digits += digit

    def _measure_jitter(self, packet: RtpPacket, arrived_s: float) -> None:
        """RFC 3550 A.8; a jump of the timestamp by more than a second is no jitter."""
        transit = arrived_s * self.codec.clock_rate - packet.timestamp
        if self._transit is not None:
            change = abs(transit - self._transit)
            if change < self.codec.clock_rate:
                self._jitter += (change - self._jitter) / 16
        self._transit = transit
