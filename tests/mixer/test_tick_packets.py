"""What every caller is sent: a packet a tick from the first tick on, one stream without a seam, and reports."""

import struct
from itertools import pairwise

import numpy as np
import pytest

from mixer.protocol import AddLeg, Address, Codec, MediaFormat, MixerConfig, OutgoingStream
from mixer.rtp.rtcp import Bye, ReceiverReport, Sdes, SenderReport, ntp_from_unix_ns, ntp_middle, parse
from mixer.tick import TICK_NS, Mixer
from tests.support.conference import TYPES, Caller, VirtualConference, tone
from tests.support.memory_transport import MemoryTransport

CODECS: list[Codec] = ["pcmu", "pcma", "g722", "l16", "opus"]


def headers(packets: list[bytes]) -> list[tuple[bool, int, int, int, int]]:
    """(marker, payload type, sequence, timestamp, ssrc) of each packet; the first byte must be plain version 2."""
    found = []
    for packet in packets:
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", packet)
        assert first == 0x80
        found.append((second > 127, second & 127, sequence, timestamp, ssrc))
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_one_packet_a_tick_from_the_first_on_across_both_wraps(codec: Codec) -> None:
    conference = VirtualConference()
    caller = conference.add(codec, outgoing=OutgoingStream(0xDEADBEEF, 65_530, 0xFFFF_FF00))
    conference.add("pcmu", tone(400, 0.3, 8000))
    for tick in range(1, 31):
        conference.run(1)
        assert len(caller.got) == tick
    found = headers(caller.got)
    assert [marker for marker, *_ in found] == [True] + [False] * 29
    assert {kind for _, kind, *_ in found} == {TYPES[codec]}
    assert {ssrc for *_, ssrc in found} == {0xDEADBEEF}
    assert [sequence for _, _, sequence, _, _ in found] == [(65_530 + i) % 65_536 for i in range(30)]
    assert [stamp for *_, stamp, _ in found] == [(0xFFFF_FF00 + i * caller.step) % 2**32 for i in range(30)]
    sizes = {"pcmu": 160, "pcma": 160, "g722": 160, "l16": 640}
    if codec in sizes:
        assert {len(packet) - 12 for packet in caller.got} == {sizes[codec]}


def test_silence_is_sent_while_nobody_speaks_and_to_one_who_sends_nothing() -> None:
    conference = VirtualConference()
    callers = [conference.add(codec, receives=False) for codec in CODECS]
    conference.run(20)
    for caller in callers:
        assert len(caller.got) == 20
        assert np.abs(caller.heard()).max() <= 8


def test_leg_that_is_sent_nothing_gets_no_media_but_is_heard() -> None:
    conference = VirtualConference()
    source = conference.add("pcmu", tone(400, 1, 8000), sends=False)
    listener = conference.add("pcmu")
    conference.run(30)
    assert source.got == []
    assert np.abs(listener.heard()).max() > 2000


def test_leg_that_does_not_receive_is_not_heard() -> None:
    conference = VirtualConference()
    conference.add("pcmu", tone(400, 1, 8000), receives=False)
    listener = conference.add("pcmu")
    conference.run(30)
    assert not listener.heard().any()
    assert conference.mixer.intake.dropped["not_receiving"] >= 29


def test_stream_goes_on_in_the_next_mixer_with_the_time_between() -> None:
    form = MediaFormat("pcmu", 0, 8000)

    def packets(outgoing: OutgoingStream, from_ns: int) -> tuple[list[bytes], OutgoingStream]:
        transport = MemoryTransport()
        mixer = Mixer(MixerConfig("test"), transport, lambda report: None)
        mixer.add(AddLeg(1, "a", 0, Address("127.0.0.1", 4000), form, outgoing), 0, from_ns)
        for tick in range(10):
            mixer.tick(from_ns + tick * TICK_NS, 0)
        row = mixer.remove("a", bye=False)
        media = [sent.data for sent in transport.sent if not 192 <= sent.data[1] <= 223]
        return media, mixer.outgoing(row, from_ns + 10 * TICK_NS)

    start = OutgoingStream(77, 65_533, 2**32 - 800)
    first, carried = packets(start, 10**12)
    assert carried.sequence == (65_533 + 10) % 65_536
    assert carried.timestamp == (2**32 - 800 + 1600) % 2**32
    away_ticks = 137
    second, _ = packets(carried, 10**12 + (10 + away_ticks) * TICK_NS)
    last, following = headers(first)[-1], headers(second)[0]
    assert following[4] == last[4] == 77
    assert following[2] == (last[2] + 1) % 65_536
    assert (following[3] - last[3]) % 2**32 == (away_ticks + 1) * 160
    assert following[0]


def test_time_that_cannot_be_made_up_moves_the_timestamp_and_sets_the_marker() -> None:
    conference = VirtualConference()
    caller = conference.add("opus")
    conference.run(3)
    conference.mixer.skip(30)
    conference.run(2)
    found = headers(caller.got)
    assert [b[2] - a[2] for a, b in pairwise(found[-3:])] == [1, 1]
    assert (found[3][3] - found[2][3]) % 2**32 == 31 * 960
    assert [marker for marker, *_ in found] == [True, False, False, True, False]


def test_removed_leg_is_sent_nothing_more_and_a_new_one_in_its_row_has_its_own_stream() -> None:
    conference = VirtualConference()
    one, other = conference.add("pcmu"), conference.add("pcmu")
    conference.run(5)
    conference.mixer.remove(one.call_id, bye=False)
    conference.run(5)
    assert (len(one.got), len(other.got)) == (5, 10)
    new = conference.add("pcma")
    conference.run(5)
    assert headers(new.got)[0][:2] == (True, 8)
    assert len({ssrc for *_, ssrc in headers(new.got + other.got)}) == 2


# ---- reports


def reports(caller: Caller) -> list[SenderReport | ReceiverReport]:
    found: list[SenderReport | ReceiverReport] = []
    for datagram in caller.rtcp:
        packets = parse(datagram)
        assert isinstance(packets[1], Sdes)
        assert packets[1].sources[0].items == ((1, caller.call_id),)
        assert isinstance(packets[0], SenderReport | ReceiverReport)
        found.append(packets[0])
    return found


def test_reports_come_every_five_seconds_and_are_right() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 18, 8000))
    mute = conference.add("opus", receives=False, outgoing=OutgoingStream(5, 0, 0))
    conference.run(900)
    found = reports(talker)
    assert 3 <= len(found) <= 4
    for report in found:
        assert isinstance(report, SenderReport)
        assert report.sender.payload_bytes == report.sender.packets * 160
        (block,) = report.blocks
        assert (block.ssrc, block.cumulative_lost, block.fraction_lost) == (talker.ssrc, 0, 0)
        assert block.jitter < 8
    # Timestamp and wall clock of a report belong together, and to the packet that was sent then.
    stamps = [packet[3] for packet in headers(talker.got)]
    for report in found:
        assert isinstance(report, SenderReport)
        sent = (report.sender.packets - 1) * TICK_NS
        assert report.sender.rtp_timestamp == stamps[report.sender.packets - 1]
        assert report.sender.ntp == ntp_from_unix_ns(1_800_000_000 * 10**9 + 10**15 + TICK_NS + sent)
    gaps = [b.sender.packets - a.sender.packets for a, b in pairwise(found) if isinstance(b, SenderReport)]  # type: ignore[union-attr]
    assert set(gaps) == {250}
    assert all(not report.blocks for report in reports(mute))


def test_report_counts_what_was_lost() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 18, 8000))
    conference.run(50)
    before = talker.link
    for _ in range(25):  # half of 50 packets are lost
        talker.sequence = (talker.sequence + 1) % 65_536
        talker.timestamp = (talker.timestamp + 160) % 2**32
        talker.ticks += 1
        conference.run(1)
    assert talker.link is before
    conference.run(600)
    blocks = [report.blocks[0] for report in reports(talker) if report.blocks]
    assert blocks[-1].cumulative_lost == 25
    assert blocks[-1].fraction_lost == 0
    assert max(block.fraction_lost for block in blocks) > 0


def test_report_tells_when_the_last_one_of_the_far_end_came() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 12, 8000))
    conference.run(10)
    ntp = ntp_from_unix_ns(1_700_000_000 * 10**9)
    report = struct.pack("!BBHIQIII", 0x80, 200, 6, talker.ssrc, ntp, 1, 2, 3)
    conference.inject(talker, report)
    came_ns = conference.now_ns
    conference.run(400)
    last = next(report for report in reports(talker) if report.blocks)
    assert last.blocks[0].last_sr == ntp_middle(ntp)
    waited_s = last.blocks[0].delay_since_last_sr / 65_536
    sent_ticks = last.sender.packets if isinstance(last, SenderReport) else 0
    due_ns = 10**15 + sent_ticks * TICK_NS
    assert waited_s == pytest.approx((due_ns - came_ns) / 1e9, abs=0.001)


def test_one_that_is_sent_no_media_gets_receiver_reports() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 12, 8000), sends=False)
    conference.run(600)
    found = reports(talker)
    assert found
    assert all(isinstance(report, ReceiverReport) and len(report.blocks) == 1 for report in found)


@pytest.mark.parametrize("bye", [True, False])
def test_bye_is_sent_if_the_call_is_over(bye: bool) -> None:
    conference = VirtualConference()
    caller = conference.add("pcmu")
    conference.run(5)
    conference.mixer.remove(caller.call_id, bye=bye)
    conference.run(1)
    assert len(caller.rtcp) == bye
    if bye:
        packets = parse(caller.rtcp[0])
        assert isinstance(packets[-1], Bye)
        assert packets[-1].ssrcs == (0x9000,)
