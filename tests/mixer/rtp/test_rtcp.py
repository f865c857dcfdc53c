import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.rtp.rtcp import (
    Bye,
    Other,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    RtcpFault,
    Sdes,
    SdesSource,
    SenderInfo,
    SenderReport,
    build_bye,
    build_report,
    delay_units,
    ntp_from_unix_ns,
    ntp_middle,
    parse,
    round_trip_ns,
)

u8, u32, u64 = st.integers(0, 255), st.integers(0, 0xFFFF_FFFF), st.integers(0, (1 << 64) - 1)
blocks = st.builds(ReportBlock, u32, u8, st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32)
senders = st.builds(SenderInfo, u64, u32, u32, u32)
block_tuples = st.lists(blocks, max_size=6).map(tuple)
names = st.text(max_size=60).filter(lambda text: "\x00" not in text)


@given(u32, names, block_tuples, st.none() | senders)
def test_reports_are_read_back(ssrc: int, cname: str, told: tuple[ReportBlock, ...], sender: SenderInfo | None) -> None:
    report, sdes = parse(build_report(ssrc, cname, told, sender))
    if sender is None:
        assert report == ReceiverReport(ssrc, told)
    else:
        assert report == SenderReport(ssrc, sender, told)
    assert sdes == Sdes((SdesSource(ssrc, ((1, cname),)),))


@given(u32, names, names)
def test_bye_is_read_back_behind_a_report(ssrc: int, cname: str, reason: str) -> None:
    report, sdes, bye = parse(build_bye(ssrc, cname, reason))
    assert report == ReceiverReport(ssrc)
    assert isinstance(sdes, Sdes)
    assert bye == Bye((ssrc,), reason)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_random_bytes_raise_nothing_but_the_error(data: bytes) -> None:
    with contextlib.suppress(RtcpError):
        assert parse(data)


@given(u32, names, block_tuples, st.none() | senders, st.data())
@settings(max_examples=300)
def test_mutated_compounds_raise_nothing_but_the_error(
    ssrc: int, cname: str, told: tuple[ReportBlock, ...], sender: SenderInfo | None, data: st.DataObject
) -> None:
    compound = bytearray(build_report(ssrc, cname, told[:3], sender) + build_bye(ssrc, cname, cname)[8:])
    for _ in range(data.draw(st.integers(1, 5))):
        compound[data.draw(st.integers(0, len(compound) - 1))] = data.draw(u8)
    with contextlib.suppress(RtcpError):
        assert parse(memoryview(compound)[: data.draw(st.integers(0, len(compound)))])


RR = bytes.fromhex("80c90001 00000001")


@pytest.mark.parametrize(
    ("datagram", "fault"),
    [
        ("", RtcpFault.TOO_SHORT),
        ("80c900", RtcpFault.TOO_SHORT),
        ("40c90001 00000001", RtcpFault.BAD_VERSION),
        ("80000001 00000001", RtcpFault.BAD_TYPE),
        ("80bf0001 00000001", RtcpFault.BAD_TYPE),
        ("80c90002 00000001", RtcpFault.BAD_LENGTH),
        ("80c90001 00000001 80", RtcpFault.BAD_LENGTH),
        ("80c90001 00000001 80c90001", RtcpFault.BAD_LENGTH),
        ("80c90000", RtcpFault.BAD_REPORT),
        ("81c90001 00000001", RtcpFault.BAD_REPORT),
        ("80c80001 00000001", RtcpFault.BAD_REPORT),
        ("81c80006" + "00" * 24, RtcpFault.BAD_REPORT),
        ("a0c90002 00000001 00000004 80c90001 00000001", RtcpFault.BAD_PADDING),
        ("a0c90002 00000001 00000000", RtcpFault.BAD_PADDING),
        ("a0c90002 00000001 00000003", RtcpFault.BAD_PADDING),
        ("a0c90002 00000001 0000000c", RtcpFault.BAD_PADDING),
        ("a0c90000", RtcpFault.BAD_PADDING),
        ("81ca0000", RtcpFault.BAD_SDES),
        ("81ca0002 00000001 01056162", RtcpFault.BAD_SDES),
        ("81ca0002 00000001 01026162", RtcpFault.BAD_SDES),
        ("81cb0000", RtcpFault.BAD_BYE),
        ("81cb0002 00000001 04616263", RtcpFault.BAD_BYE),
    ],
)
def test_each_fault_has_its_name(datagram: str, fault: RtcpFault) -> None:
    with pytest.raises(RtcpError) as raised:
        parse(bytes.fromhex(datagram))
    assert raised.value.fault is fault


def test_a_fault_in_the_last_packet_spoils_the_compound() -> None:
    with pytest.raises(RtcpError):
        parse(RR + bytes.fromhex("81cb0000"))


def test_padding_of_the_last_packet_is_taken_off() -> None:
    assert parse(RR + bytes.fromhex("a1cb0002 00000002 00000004")) == [ReceiverReport(1), Bye((2,))]


def test_a_reduced_size_compound_needs_no_report() -> None:
    assert parse(bytes.fromhex("81cb0001 00000007")) == [Bye((7,))]


def test_packets_we_do_not_read_are_named_and_passed() -> None:
    assert parse(RR + bytes.fromhex("8fcd0002 00000001 00000002")) == [ReceiverReport(1), Other(205, 15)]


def test_what_follows_the_blocks_is_a_profiles_own() -> None:
    assert parse(bytes.fromhex("80c90003 00000001 aabbccdd 11223344")) == [ReceiverReport(1)]


def test_a_negative_loss_is_read() -> None:
    packet = bytes.fromhex("81c90007 00000001 00000002 00fffffe 00000000 00000000 00000000 00000000")
    assert parse(packet) == [ReceiverReport(1, (ReportBlock(2, 0, -2, 0, 0),))]


def test_two_sources_in_one_sdes() -> None:
    packet = bytes.fromhex("82ca0005 00000001 01026162 00000000 00000002 07017a00")
    assert parse(packet) == [Sdes((SdesSource(1, ((1, "ab"),)), SdesSource(2, ((7, "z"),))))]


def test_too_much_to_say_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="report blocks"):
        build_report(1, "a", (ReportBlock(1, 0, 0, 0, 0),) * 32)
    with pytest.raises(ValueError, match="bytes"):
        build_report(1, "a" * 256)
    with pytest.raises(ValueError, match="bytes"):
        build_bye(1, "a", "b" * 256)


def test_ntp_time_counts_from_1900() -> None:
    assert ntp_from_unix_ns(0) == 2_208_988_800 << 32
    assert ntp_from_unix_ns(1_500_000_000) == (2_208_988_801 << 32) | 0x8000_0000
    assert ntp_middle(0x1122_3344_5566_7788) == 0x3344_5566


def test_round_trip_is_the_worked_example_of_the_rfc() -> None:
    """RFC 3550 section 6.4.1, figure 2."""
    block = ReportBlock(1, 0, 0, 0, 0, last_sr=0xB705_2000, delay_since_last_sr=0x0005_4000)
    round_trip = round_trip_ns(block, 0xB710_8000)
    assert round_trip == 6_125_000_000


@given(u32, st.integers(0, 10_000_000_000), st.integers(0, 2_000_000_000))
def test_round_trip_is_what_was_neither_held_nor_lost(sent: int, held_ns: int, path_ns: int) -> None:
    sent = sent or 1
    block = ReportBlock(1, 0, 0, 0, 0, sent, delay_units(held_ns))
    found = round_trip_ns(block, (sent + delay_units(held_ns + path_ns)) & 0xFFFF_FFFF)
    assert found is not None
    assert abs(found - path_ns) <= 2 * 1_000_000_000 / 65536


def test_round_trip_is_unknown_before_a_sender_report_and_never_negative() -> None:
    assert round_trip_ns(ReportBlock(1, 0, 0, 0, 0), 5) is None
    assert round_trip_ns(ReportBlock(1, 0, 0, 0, 0, last_sr=100, delay_since_last_sr=50), 140) == 0
    assert delay_units(1 << 60) == 0xFFFF_FFFF


def test_a_full_report_is_read_back() -> None:
    told = tuple(ReportBlock(i, i, -i, i, i, i, i) for i in range(31))
    assert parse(build_report(1, "a", told))[0] == ReceiverReport(1, told)
