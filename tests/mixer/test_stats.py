import struct

import pytest

from mixer.protocol import LegStats
from mixer.rtp.rtcp import ReportBlock, SenderReport, build_report, delay_units, ntp_middle, parse
from mixer.stats import MINUTE_TICKS, TickTimes
from mixer.tick import TICK_NS
from tests.support.conference import Caller, VirtualConference, tone
from tests.support.network import Conditions

MS = 1_000_000


def test_nothing_is_zero() -> None:
    figures = TickTimes().describe(0.0)
    assert (figures.ticks, figures.work_ms.max, figures.lateness_ms.p99) == (0, 0.0, 0.0)
    assert TickTimes().work_p50_ms() == 0.0


def test_late_is_what_went_out_a_tick_after_it_was_due() -> None:
    times = TickTimes()
    for lateness_ms, work_ms in [(0, 5), (15, 5), (15, 6), (30, 0)]:
        times.add(lateness_ms * MS, work_ms * MS, 20 * MS)
    assert (times.ticks, times.late_ticks) == (4, 2)


def test_percentiles_are_of_the_last_minute() -> None:
    times = TickTimes()
    times.add(0, 500 * MS, 20 * MS)
    for number in range(MINUTE_TICKS):
        times.add(0, (1 + number % 100) * MS, 200 * MS)
    figures = times.describe(1.23456)
    assert figures.work_ms.max == 100
    assert figures.work_ms.p50 == pytest.approx(50, abs=1)
    assert figures.work_ms.p99 == pytest.approx(99, abs=1)
    assert figures.cpu_s == 1.235


def test_line_of_a_leg_adds_up() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 10, 8000, 16_384), conditions=Conditions(loss=0.05, duplicate=0.1))
    silent = conference.add("opus")
    conference.run(400)
    lines = {line.call_id: line for line in conference.mixer.stats()}
    said = lines[talker.call_id]
    assert said.packets_out == 400
    assert 400 - talker.link.lost + 20 < said.packets_in < 400 - talker.link.lost + 65
    assert said.concealed == pytest.approx(talker.link.lost, abs=2)
    assert 20 < said.duplicates < 65
    assert said.level_dbov == pytest.approx(-9.0, abs=0.5)
    assert 0 < said.buffer_ms < 45
    assert lines[silent.call_id].packets_in == 0
    assert lines[silent.call_id].level_dbov == -127


def line_of(conference: VirtualConference, caller: Caller) -> LegStats:
    (line,) = (line for line in conference.mixer.stats() if line.call_id == caller.call_id)
    return line


def test_what_is_moved_to_wait_less_and_more_is_told() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 30, 8000))
    conference.run(100)
    talker.link.hold(conference.now_ns, conference.now_ns + 200_000_000)
    conference.run(1000)
    line = line_of(conference, talker)
    assert line.accelerated_ms > 20
    assert (line.accelerated_ms, line.stretched_ms) == tuple(
        round(ms, 1) for ms in conference.mixer.tables[0].playout.moved_ms(0)
    )


def report(conference: VirtualConference, caller: Caller, fraction_lost: int, held_ns: int) -> None:
    """The caller reports on what it is sent; it took the last report of ours `held_ns` ago."""
    (sent, *_) = parse(caller.rtcp[-1])
    assert isinstance(sent, SenderReport)
    block = ReportBlock(sent.ssrc, fraction_lost, 0, 0, 0, ntp_middle(sent.sender.ntp), delay_units(held_ns))
    conference.inject(caller, build_report(caller.ssrc, "far-end", (block,)))


def test_far_ends_view_is_told_once_it_has_reported() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 30, 8000))
    listener = conference.add("l16")
    while not listener.rtcp:
        conference.run(1)
    line = line_of(conference, listener)
    assert (line.far_end_loss, line.round_trip_ms) == (None, None)
    conference.run(9)
    report(conference, listener, 64, held_ns=5 * TICK_NS)  # nine ticks after ours was sent
    conference.run(26)
    line = line_of(conference, listener)
    assert line.far_end_loss == 0.125  # half of what one report says, see `far_end`
    assert line.round_trip_ms == pytest.approx(4 * 20, abs=0.1)
    assert line_of(conference, talker).far_end_loss is None


def test_far_end_that_saw_no_report_of_ours_has_no_round_trip() -> None:
    conference = VirtualConference()
    listener = conference.add("l16")
    conference.run(1)
    ssrc = int(conference.mixer.legs.out_ssrc[0])
    conference.inject(listener, build_report(listener.ssrc, "far-end", (ReportBlock(ssrc, 0, 0, 0, 0),)))
    conference.run(26)
    line = line_of(conference, listener)
    assert (line.far_end_loss, line.round_trip_ms) == (0.0, None)


def test_far_ends_view_does_not_pass_to_the_next_leg_in_the_row() -> None:
    conference = VirtualConference()
    gone = conference.add("l16")
    while not gone.rtcp:
        conference.run(1)
    report(conference, gone, 64, held_ns=0)
    conference.run(26)
    assert line_of(conference, gone).far_end_loss is not None
    conference.mixer.remove(gone.call_id, bye=False)
    following = conference.add("l16")
    conference.run(26)
    line = line_of(conference, following)
    assert (line.far_end_loss, line.round_trip_ms) == (None, None)


@pytest.mark.parametrize("heard", [True, False])
def test_level_of_an_opus_leg_that_nobody_hears_is_not_known(heard: bool) -> None:
    conference = VirtualConference()
    talker = conference.add("opus", tone(400, 10, 48_000, 16_384))
    silent = conference.add("opus")
    conference.add("l16")
    conference.run(50)
    conference.update(talker, heard=heard)
    conference.run(10)
    expected = pytest.approx(-9.0, abs=0.5) if heard else None
    assert line_of(conference, talker).level_dbov == expected
    assert line_of(conference, silent).level_dbov == -127
    talker.sending = False
    conference.run(50)
    assert line_of(conference, talker).level_dbov == -127


class Claiming(Caller):
    """Sends the audio level extension (RFC 6464) with every packet."""

    def packet(self) -> bytes | None:
        packet = super().packet()
        if packet is None:
            return None
        extension = struct.pack("!HHBBH", 0xBEDE, 1, 3 << 4, 0x80 | 23, 0)
        return bytes([packet[0] | 0x10]) + packet[1:12] + extension + packet[12:]


def test_level_of_an_opus_leg_that_nobody_hears_is_what_it_claims() -> None:
    conference = VirtualConference()
    talker = conference.add("opus", tone(400, 10, 48_000, 16_384), level_extension_id=3)
    talker.__class__ = Claiming
    conference.add("l16")
    conference.run(50)
    assert line_of(conference, talker).level_dbov == pytest.approx(-9.0, abs=0.5)
    conference.update(talker, heard=False)
    conference.run(10)
    assert line_of(conference, talker).level_dbov == -23
