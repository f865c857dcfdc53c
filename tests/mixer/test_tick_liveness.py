"""Callers that come, fall silent, hang up: each thing is reported once, and only when it is so."""

import struct

import pytest

from mixer.protocol import LegBye, LegConnected, LegLost, LegTimedOut, Report
from tests.support.conference import VirtualConference, tone


def of(conference: VirtualConference, kind: type) -> list[Report]:
    return [report for report in conference.reports if isinstance(report, kind)]


def test_connected_is_said_once_at_the_first_packet() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 2, 8000))
    talker.sending = False
    conference.run(10)
    assert of(conference, LegConnected) == []
    talker.sending = True
    conference.run(50)
    talker.ssrc += 1
    conference.run(20)
    assert of(conference, LegConnected) == [LegConnected(talker.call_id, talker.address)]


@pytest.mark.parametrize("ever_sent", [True, False])
def test_lost_is_said_once_per_loss_within_six_seconds(ever_sent: bool) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 60, 8000) if ever_sent else None)
    conference.run(50)
    talker.sending = False
    conference.run(245 if ever_sent else 195)
    assert of(conference, LegLost) == []
    conference.run(55)
    assert of(conference, LegLost) == [LegLost(talker.call_id)]
    conference.run(500)
    assert len(of(conference, LegLost)) == 1
    if ever_sent:
        talker.sending = True
        conference.run(50)
        talker.sending = False
        conference.run(300)
        assert len(of(conference, LegLost)) == 2


@pytest.mark.parametrize("timeout_ms", [2_000, 7_000, 0])
def test_timed_out_is_said_once_after_its_time_and_never_for_0(timeout_ms: int) -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 1, 8000), media_timeout_ms=timeout_ms)
    conference.run(50)
    talker.sending = False
    ticks = timeout_ms // 20
    conference.run(max(0, ticks - 5))
    assert of(conference, LegTimedOut) == []
    conference.run(40)
    expected = [LegTimedOut(talker.call_id)] if timeout_ms else []
    assert of(conference, LegTimedOut) == expected
    conference.run(500)
    assert of(conference, LegTimedOut) == expected


@pytest.mark.parametrize("kind", ["report", "keep-alive"])
def test_reports_and_keep_alives_hold_a_silent_call(kind: str) -> None:
    conference = VirtualConference()
    caller = conference.add("pcmu", media_timeout_ms=2_000)
    for _ in range(20):
        report = struct.pack("!BBHI", 0x80, 201, 1, caller.ssrc)
        conference.inject(caller, report if kind == "report" else caller.header())
        conference.run(40)
    assert of(conference, LegTimedOut) == []
    assert len(of(conference, LegLost)) == 1  # but there is no sound


def test_strangers_hold_no_call() -> None:
    conference = VirtualConference()
    caller = conference.add("pcmu", media_timeout_ms=2_000, single=True)
    for _ in range(150):
        conference.inject(caller, caller.header() + bytes(160), source=5)
        conference.run(1)
    assert of(conference, LegTimedOut) == [LegTimedOut(caller.call_id)]
    assert of(conference, LegConnected) == []


def test_one_who_sends_nothing_by_agreement_is_neither_lost_nor_timed_out() -> None:
    conference = VirtualConference()
    conference.add("pcmu", receives=False, media_timeout_ms=2_000)
    conference.run(600)
    assert of(conference, LegLost) + of(conference, LegTimedOut) == []


def bye(ssrc: int) -> bytes:
    return struct.pack("!BBHI", 0x80, 201, 1, ssrc) + struct.pack("!BBHI", 0x81, 203, 1, ssrc)


def test_bye_counts_only_for_the_stream_of_the_leg_and_from_its_address() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 5, 8000))
    conference.run(10)
    conference.inject(talker, bye(talker.ssrc + 1))
    conference.inject(talker, bye(talker.ssrc), source=5)
    conference.run(2)
    assert of(conference, LegBye) == []
    conference.inject(talker, bye(talker.ssrc))
    conference.run(1)
    assert of(conference, LegBye) == [LegBye(talker.call_id)]
