"""RTP, RTCP and telephone-event datagrams as one caller writes and reads them.

Pure functions on bytes. Written apart from the mixer on purpose: the caller is also the peer that the mixer
is tested against, so the two may not share a mistake. What a packet means is left to `incoming` and `outgoing`.
"""

import struct
from dataclasses import dataclass
from typing import Final

_RTP: Final = struct.Struct("!BBHII")
_SENDER_INFO: Final = struct.Struct("!IIIIII")
_EVENT: Final = struct.Struct("!BBH")
_NTP_EPOCH_S: Final = 2_208_988_800
_CNAME: Final = 1
SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, BYE = 200, 201, 202, 203
DIGITS: Final = "0123456789*#ABCD"
"""The digits of RFC 4733 §3.2, each at the index that is its event code."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet (RFC 3550 §5.1); `timestamp` counts the RTP clock of its payload type."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


@dataclass(frozen=True, slots=True)
class Reception:
    """What a report says about the stream we are sent (RFC 3550 §6.4.1)."""

    ssrc: int
    fraction_lost: float
    """0..1, since the last report."""
    lost: int
    highest_sequence: int
    """Extended by the number of wraps."""
    jitter: int
    """In units of the RTP clock."""


def pack_rtp(packet: RtpPacket) -> bytes:
    """Write a packet without CSRC, extension or padding."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    header = _RTP.pack(0x80, second, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc)
    return header + packet.payload


def parse_rtp(datagram: bytes) -> RtpPacket | None:
    """Read a packet, skipping CSRCs, extension and padding; None if it is not a whole RTP packet."""
    if len(datagram) < _RTP.size:
        return None
    first, second, sequence, timestamp, ssrc = _RTP.unpack_from(datagram)
    if first >> 6 != 2:
        return None
    begin = _RTP.size + 4 * (first & 0x0F)
    if first & 0x10:  # RFC 3550 §5.3.1: a length in words follows the profile's 16 bits
        if len(datagram) < begin + 4:
            return None
        begin += 4 + 4 * int.from_bytes(datagram[begin + 2 : begin + 4], "big")
    end = len(datagram)
    if first & 0x20:  # RFC 3550 §5.1: the last octet counts the padding, itself included
        padding = datagram[-1]
        if padding == 0:
            return None
        end -= padding
    if begin > end:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, datagram[begin:end], bool(second & 0x80))


def is_rtcp(datagram: bytes) -> bool:
    """Tell RTCP from RTP on a shared port: second octet 192..223 (RFC 5761 §4)."""
    return len(datagram) >= 8 and 192 <= datagram[1] <= 223


def rtcp_types(datagram: bytes) -> list[int]:
    """Packet types of a compound RTCP datagram in order, up to the first that is cut short."""
    types = []
    at = 0
    while at + 4 <= len(datagram):
        length = 4 + 4 * int.from_bytes(datagram[at + 2 : at + 4], "big")
        if datagram[at] >> 6 != 2 or at + length > len(datagram):
            break
        types.append(datagram[at + 1])
        at += length
    return types


def pack_report(
    ssrc: int,
    cname: str,
    *,
    unix_s: float,
    rtp_timestamp: int,
    packets: int,
    payload_bytes: int,
    reception: Reception | None,
) -> bytes:
    """Write a compound report: SR if anything was sent, else RR, then the CNAME (RFC 3550 §6.4, §6.5)."""
    blocks = b"" if reception is None else _report_block(reception)
    count = 0 if reception is None else 1
    if packets:
        ntp = int((unix_s + _NTP_EPOCH_S) * 2**32)
        info = _SENDER_INFO.pack(
            ssrc,
            ntp >> 32 & 0xFFFFFFFF,
            ntp & 0xFFFFFFFF,
            rtp_timestamp & 0xFFFFFFFF,
            packets & 0xFFFFFFFF,
            payload_bytes & 0xFFFFFFFF,
        )
        report = _rtcp(SENDER_REPORT, count, info + blocks)
    else:
        report = _rtcp(RECEIVER_REPORT, count, ssrc.to_bytes(4, "big") + blocks)
    return report + _description(ssrc, cname)


def pack_bye(ssrc: int, cname: str) -> bytes:
    """Write the compound that ends a stream: an empty RR, the CNAME, BYE (RFC 3550 §6.6)."""
    source = ssrc.to_bytes(4, "big")
    return _rtcp(RECEIVER_REPORT, 0, source) + _description(ssrc, cname) + _rtcp(BYE, 1, source)


def pack_digit(digit: str, duration: int, *, end: bool, volume_dbm0: int = 10) -> bytes:
    """Write a telephone-event payload (RFC 4733 §2.3); `duration` in units of the RTP clock.

    Raises:
        ValueError: `digit` is not one of `DIGITS`.
    """
    code = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise ValueError(f"{digit!r} is not a telephone digit: use one of {DIGITS}")
    return _EVENT.pack(code, (0x80 if end else 0) | volume_dbm0, min(duration, 0xFFFF))


def parse_digit(payload: bytes) -> tuple[str, bool]:
    """Read a telephone-event: the digit ("" if it is none) and whether it has ended."""
    if len(payload) < _EVENT.size or payload[0] >= len(DIGITS):
        return "", False
    return DIGITS[payload[0]], bool(payload[1] & 0x80)


def _rtcp(packet_type: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    items = ssrc.to_bytes(4, "big") + bytes([_CNAME, len(name)]) + name
    # RFC 3550 §6.5: at least one null octet ends the items, and the block fills whole words.
    return _rtcp(DESCRIPTION, 1, items + bytes(4 - len(items) % 4))


def _report_block(reception: Reception) -> bytes:
    fraction = min(255, max(0, int(reception.fraction_lost * 256)))
    lost = min(0x7FFFFF, max(-0x800000, reception.lost)) & 0xFFFFFF
    highest = reception.highest_sequence & 0xFFFFFFFF
    return struct.pack("!IIIIII", reception.ssrc, fraction << 24 | lost, highest, reception.jitter, 0, 0)
