import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.caller.wire import (
    BYE,
    DESCRIPTION,
    DIGITS,
    RECEIVER_REPORT,
    SENDER_REPORT,
    Reception,
    RtpPacket,
    is_rtcp,
    pack_bye,
    pack_digit,
    pack_report,
    pack_rtp,
    parse_digit,
    parse_rtp,
    rtcp_types,
)

PACKET = RtpPacket(payload_type=9, sequence=65535, timestamp=4_000_000_000, ssrc=7, payload=b"abcd", marker=True)


def test_a_packet_is_read_as_it_was_written() -> None:
    datagram = pack_rtp(PACKET)
    assert datagram[:4] == bytes([0x80, 0x89, 0xFF, 0xFF])
    assert parse_rtp(datagram) == PACKET
    assert not is_rtcp(datagram)


def test_sequence_and_timestamp_wrap_when_written() -> None:
    packet = parse_rtp(pack_rtp(RtpPacket(0, 65536 + 5, 2**32 + 6, 7, b"")))
    assert packet is not None
    assert (packet.sequence, packet.timestamp) == (5, 6)


def test_csrc_extension_and_padding_are_no_sound() -> None:
    plain = pack_rtp(PACKET)
    header = bytes([0x80 | 0x20 | 0x10 | 2]) + plain[1:12]
    dressed = header + b"csrc" * 2 + b"\xbe\xde\x00\x01" + b"ext." + b"abcd" + b"\x00\x00\x03"
    assert parse_rtp(dressed) == PACKET


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80" * 11,
        b"\x40" + bytes(11),
        b"\x81" + bytes(11),
        b"\x90" + bytes(14),
        b"\x90" + bytes(13) + b"\x00\x09" + bytes(4),
        b"\xa0" + bytes(12),
        b"\xa0" + bytes(11) + b"\x09",
    ],
    ids=["empty", "short", "version 1", "no csrc", "half extension", "long extension", "padding 0", "padding > all"],
)
def test_what_is_no_packet_is_none(datagram: bytes) -> None:
    assert parse_rtp(datagram) is None


@given(st.binary(max_size=200))
def test_nothing_received_can_raise(datagram: bytes) -> None:
    parse_rtp(datagram)
    rtcp_types(datagram)
    parse_digit(datagram)
    is_rtcp(datagram)


def test_a_talker_reports_as_sender_and_a_listener_as_receiver() -> None:
    reception = Reception(ssrc=9, fraction_lost=0.25, lost=3, highest_sequence=70000, jitter=11)
    report = pack_report(7, "me", unix_s=0.5, rtp_timestamp=160, packets=2, payload_bytes=320, reception=reception)
    assert is_rtcp(report)
    assert rtcp_types(report) == [SENDER_REPORT, DESCRIPTION]
    assert report[8:12] == (2_208_988_800).to_bytes(4, "big")
    assert report[12:16] == (2**31).to_bytes(4, "big")
    assert report[28:32] == (9).to_bytes(4, "big")
    assert report[32:40] == bytes([64, 0, 0, 3]) + (70000).to_bytes(4, "big")
    listening = pack_report(7, "me", unix_s=0.5, rtp_timestamp=0, packets=0, payload_bytes=0, reception=None)
    assert rtcp_types(listening) == [RECEIVER_REPORT, DESCRIPTION]


@pytest.mark.parametrize("cname", ["a", "ab", "abc", "abcd", "x" * 300])
def test_bye_is_a_compound_of_whole_words(cname: str) -> None:
    bye = pack_bye(7, cname)
    assert len(bye) % 4 == 0
    assert rtcp_types(bye) == [RECEIVER_REPORT, DESCRIPTION, BYE]


@pytest.mark.parametrize("digit", DIGITS)
def test_each_digit_is_read_as_it_was_written(digit: str) -> None:
    assert parse_digit(pack_digit(digit, 160, end=False)) == (digit, False)
    assert parse_digit(pack_digit(digit.lower(), 800, end=True)) == (digit, True)


@pytest.mark.parametrize("digit", ["", "12", "E", "é"])
def test_what_is_no_digit_is_refused(digit: str) -> None:
    with pytest.raises(ValueError, match="not a telephone digit"):
        pack_digit(digit, 160, end=False)
