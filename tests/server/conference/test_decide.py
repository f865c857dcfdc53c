import pytest

from server.conference.commands import (
    Command,
    Digit,
    End,
    HangUp,
    Kick,
    Leave,
    MediaConnected,
    MediaLost,
    Update,
)
from server.conference.decide import decide
from server.conference.model import ParticipantState
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario, started


@pytest.mark.parametrize(
    "command",
    [
        Leave("a"),
        Kick("a"),
        HangUp("a"),
        Update("a"),
        End(),
        MediaConnected("a"),
        MediaLost("a"),
        Digit("a", "1", 80),
    ],
)
def test_only_a_join_makes_a_conference(command: Command) -> None:
    with pytest.raises(Refusal) as refusal:
        decide(None, command, 0.0)
    assert refusal.value.code == "not_found"


def test_deciding_changes_nothing() -> None:
    scenario = started("a", "b")
    before = scenario.conference
    first = decide(before, Kick("a"), 5.0)
    assert decide(before, Kick("a"), 5.0) == first
    assert before.size == 2
    assert {event.at for event in first} == {5.0}


def test_a_digit_becomes_an_event_and_changes_nothing_else() -> None:
    scenario = started("a")
    before = scenario.participant("a")
    assert scenario.do(Digit("a", "#", 120)) == ["participant-dtmf"]
    params = scenario.log[-1].wire["params"]
    assert (params["digit"], params["duration_ms"], params["call_id"]) == ("#", 120, "a")
    assert scenario.participant("a") == before


def test_lost_media_becomes_an_event_and_changes_nothing_else() -> None:
    scenario = started("a", media_connected=True)
    assert scenario.do(MediaLost("a")) == ["participant-lost"]
    assert scenario.participant("a").state is ParticipantState.ACTIVE
    assert scenario.conference.size == 1


def test_the_first_packet_is_silent_and_takes_no_sequence_number() -> None:
    scenario = started("a")
    assert scenario.participant("a").state is ParticipantState.CONNECTING
    sequence, logged = scenario.conference.sequence, len(scenario.log)
    assert scenario.do(MediaConnected("a")) == ["(silent)"]
    assert scenario.participant("a").state is ParticipantState.ACTIVE
    assert (scenario.conference.sequence, len(scenario.log)) == (sequence, logged)
    assert scenario.do(MediaConnected("a")) == []


def test_the_first_packet_before_the_start_makes_it_wait() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    scenario.do(MediaConnected("a"))
    assert scenario.participant("a").state is ParticipantState.WAITING
    scenario.join("b")
    assert scenario.participant("a").state is ParticipantState.ACTIVE


@pytest.mark.parametrize("report", [MediaConnected("a"), MediaLost("a"), Digit("a", "1", 80)])
def test_a_report_that_crosses_with_a_leave_is_nothing(report: MediaConnected | MediaLost | Digit) -> None:
    scenario = started("a", "b")
    scenario.do(Leave("a"))
    assert scenario.do(report) == []
    scenario.do(End())
    assert scenario.do(report) == []
