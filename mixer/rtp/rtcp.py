"""RTCP compounds: read from and written to bytes.

Decides what a well-formed compound is (RFC 3550 section 6 and appendix A.2, except that reduced-size
compounds of RFC 5506 are taken too) and how reports and BYE are laid out. Leaves to others when they are
sent and what is done about them. A few packets a second, so plain Python objects serve; the batch path
never comes here.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SDES: Final = 202
BYE: Final = 203

CNAME: Final = 1
MOST_BLOCKS: Final = 31
MOST_TEXT_BYTES: Final = 255

_NTP_EPOCH_S: Final = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""
_NS: Final = 1_000_000_000

_BLOCK = struct.Struct(">IB3sIIII")
_SENDER = struct.Struct(">QIII")
_HEADER = struct.Struct(">BBH")


class RtcpFault(StrEnum):
    """Why a compound is not one; names for counters."""

    TOO_SHORT = "rtcp_too_short"
    BAD_VERSION = "rtcp_bad_version"
    BAD_TYPE = "rtcp_bad_type"
    BAD_LENGTH = "rtcp_bad_length"
    BAD_PADDING = "rtcp_bad_padding"
    BAD_REPORT = "rtcp_bad_report"
    BAD_SDES = "rtcp_bad_sdes"
    BAD_BYE = "rtcp_bad_bye"


class RtcpError(Exception):
    """The datagram is not a well-formed compound; nothing of it is to be used."""

    def __init__(self, fault: RtcpFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source, RFC 3550 section 6.4.1."""

    ssrc: int
    fraction_lost: int
    """0..255 of 256, since the last report."""
    cumulative_lost: int
    """-2**23..2**23-1; below 0 if more came than were expected."""
    highest_sequence: int
    """Extended, modulo 2**32."""
    jitter: int
    """Units of the RTP clock."""
    last_sr: int = 0
    """Middle 32 bits of the NTP time in the last sender report from the source; 0 if none came."""
    delay_since_last_sr: int = 0
    """1/65536 s from that report's arrival until this one."""


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a sender says of its own stream."""

    ntp: int
    """64 bits: seconds since 1900, then their fraction."""
    rtp_timestamp: int
    packets: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR."""

    ssrc: int
    sender: SenderInfo
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SdesSource:
    """One source's items in an SDES: (item type, text) in order."""

    ssrc: int
    items: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Sdes:
    """SDES."""

    sources: tuple[SdesSource, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """BYE."""

    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """A well-framed packet of a type we do not read: APP, feedback, XR."""

    packet_type: int
    count: int


Packet = SenderReport | ReceiverReport | Sdes | Bye | Other


# ---- reading ---------------------------------------------------------------------------------------------


def parse(datagram: bytes | bytearray | memoryview) -> list[Packet]:
    """The packets of a compound, in order, at least one.

    Raises `RtcpError`, and nothing else, for anything that breaks the rules, also if it is the last packet
    that does.
    """
    data = bytes(datagram)
    if len(data) < 4:
        raise RtcpError(RtcpFault.TOO_SHORT)
    packets: list[Packet] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            raise RtcpError(RtcpFault.BAD_LENGTH)
        first, packet_type, words = _HEADER.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2:
            raise RtcpError(RtcpFault.BAD_VERSION)
        if not 192 <= packet_type <= 223:
            raise RtcpError(RtcpFault.BAD_TYPE)
        if end > len(data):
            raise RtcpError(RtcpFault.BAD_LENGTH)
        body = data[at + 4 : end]
        if first & 0x20:
            body = _without_padding(body, last=end == len(data))
        packets.append(_packet(packet_type, first & 0x1F, body))
        at = end
    return packets


def _without_padding(body: bytes, last: bool) -> bytes:
    """RFC 3550 section 6.4.1: only the last packet is padded, by whole words, the count in the last byte."""
    count = body[-1] if body else 0
    if not last or count == 0 or count % 4 or count > len(body):
        raise RtcpError(RtcpFault.BAD_PADDING)
    return body[:-count]


def _packet(packet_type: int, count: int, body: bytes) -> Packet:
    if packet_type == SENDER_REPORT:
        if len(body) < 4 + _SENDER.size:
            raise RtcpError(RtcpFault.BAD_REPORT)
        sender = SenderInfo(*_SENDER.unpack_from(body, 4))
        return SenderReport(_word(body, 0), sender, _blocks(body[4 + _SENDER.size :], count))
    if packet_type == RECEIVER_REPORT:
        if len(body) < 4:
            raise RtcpError(RtcpFault.BAD_REPORT)
        return ReceiverReport(_word(body, 0), _blocks(body[4:], count))
    if packet_type == SDES:
        return _sdes(body, count)
    if packet_type == BYE:
        return _bye(body, count)
    return Other(packet_type, count)


def _word(body: bytes, at: int) -> int:
    return int.from_bytes(body[at : at + 4])


def _blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    """Report blocks; what follows them is a profile's extension and is skipped."""
    if len(body) < count * _BLOCK.size:
        raise RtcpError(RtcpFault.BAD_REPORT)
    blocks = []
    for i in range(count):
        ssrc, fraction, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, i * _BLOCK.size)
        blocks.append(ReportBlock(ssrc, fraction, int.from_bytes(lost, signed=True), highest, jitter, last_sr, delay))
    return tuple(blocks)


def _sdes(body: bytes, count: int) -> Sdes:
    sources = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            raise RtcpError(RtcpFault.BAD_SDES)
        ssrc = _word(body, at)
        items, at = _sdes_items(body, at + 4)
        sources.append(SdesSource(ssrc, items))
    return Sdes(tuple(sources))


def _sdes_items(body: bytes, at: int) -> tuple[tuple[tuple[int, str], ...], int]:
    """Items up to the null that ends a source's list, and where the next one begins; RFC 3550 6.5."""
    items: list[tuple[int, str]] = []
    while at < len(body) and body[at] != 0:
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise RtcpError(RtcpFault.BAD_SDES)
        end = at + 2 + body[at + 1]
        items.append((body[at], body[at + 2 : end].decode(errors="replace")))
        at = end
    if at >= len(body):
        raise RtcpError(RtcpFault.BAD_SDES)
    return tuple(items), (at // 4 + 1) * 4


def _bye(body: bytes, count: int) -> Bye:
    end = 4 * count
    if end > len(body):
        raise RtcpError(RtcpFault.BAD_BYE)
    ssrcs = tuple(_word(body, at) for at in range(0, end, 4))
    if end == len(body):
        return Bye(ssrcs)
    text_end = end + 1 + body[end]
    if text_end > len(body):
        raise RtcpError(RtcpFault.BAD_BYE)
    return Bye(ssrcs, body[end + 1 : text_end].decode(errors="replace"))


# ---- writing ---------------------------------------------------------------------------------------------


def build_report(
    ssrc: int, cname: str, blocks: tuple[ReportBlock, ...] = (), sender: SenderInfo | None = None
) -> bytes:
    """A compound of one report and an SDES with the CNAME, as RFC 3550 section 6.1 asks.

    SR with `sender`, for a stream that was sent since the last report; RR without. At most 31 blocks.
    Raises ValueError for more blocks, or a CNAME over 255 bytes.
    """
    if len(blocks) > MOST_BLOCKS:
        raise ValueError(f"{len(blocks)} report blocks; one report holds {MOST_BLOCKS}")
    body = ssrc.to_bytes(4)
    if sender is not None:
        body += _SENDER.pack(sender.ntp, sender.rtp_timestamp, sender.packets, sender.payload_bytes)
    for block in blocks:
        body += _BLOCK.pack(
            block.ssrc,
            block.fraction_lost,
            block.cumulative_lost.to_bytes(3, signed=True),
            block.highest_sequence,
            block.jitter,
            block.last_sr,
            block.delay_since_last_sr,
        )
    packet_type = RECEIVER_REPORT if sender is None else SENDER_REPORT
    text = cname.encode()
    item = bytes((CNAME, _text_length(text))) + text
    sdes = _padded(ssrc.to_bytes(4) + item + b"\0")
    return _framed(packet_type, len(blocks), body) + _framed(SDES, 1, sdes)


def build_bye(ssrc: int, cname: str, reason: str = "") -> bytes:
    """A compound that ends the stream `ssrc`: empty RR, SDES, BYE. Raises ValueError as `build_report`."""
    body = ssrc.to_bytes(4)
    if reason:
        text = reason.encode()
        body = _padded(body + bytes((_text_length(text),)) + text)
    return build_report(ssrc, cname) + _framed(BYE, 1, body)


def _framed(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def _padded(body: bytes) -> bytes:
    return body + bytes(-len(body) % 4)


def _text_length(text: bytes) -> int:
    if len(text) > MOST_TEXT_BYTES:
        raise ValueError(f"an RTCP text of {len(text)} bytes; {MOST_TEXT_BYTES} fit")
    return len(text)


# ---- time ------------------------------------------------------------------------------------------------


def ntp_from_unix_ns(unix_ns: int) -> int:
    """64-bit NTP time of a wall clock reading in ns; RFC 3550 section 4."""
    seconds, rest = divmod(unix_ns, _NS)
    return ((seconds + _NTP_EPOCH_S) & 0xFFFF_FFFF) << 32 | (rest << 32) // _NS


def ntp_middle(ntp: int) -> int:
    """The middle 32 bits, in 1/65536 s, as LSR and round trips use them."""
    return (ntp >> 16) & 0xFFFF_FFFF


def delay_units(elapsed_ns: int) -> int:
    """A time since a sender report came, as DLSR: 1/65536 s, at most 32 bits."""
    return min((elapsed_ns << 16) // _NS, 0xFFFF_FFFF)


def round_trip_ns(block: ReportBlock, arrival_ntp_middle: int) -> int | None:
    """Round trip to the far end whose `block` came at `arrival_ntp_middle`; RFC 3550 section 6.4.1.

    None if the far end has seen no sender report of ours. Rounding, and a far end that overstates its
    delay, can take the difference below zero: that is 0.
    """
    if block.last_sr == 0:
        return None
    units = (arrival_ntp_middle - block.last_sr - block.delay_since_last_sr) & 0xFFFF_FFFF
    return 0 if units >= 0x8000_0000 else units * _NS >> 16
