import pytest

from server.conference.commands import Leave, Speech, Update
from server.conference.speaking import fall_silent
from tests.server.conference.scenario import Scenario, started


def test_one_who_is_silent_has_nothing_to_stop() -> None:
    assert fall_silent(started("a").participant("a"), 1.0) == []


@pytest.mark.parametrize("call_id", ["gone", "stranger"])
def test_a_report_of_one_who_is_not_here_is_nothing(call_id: str) -> None:
    scenario = started("a", "gone")
    scenario.do(Leave("gone"))
    assert scenario.do(Speech(call_id, speaking=True)) == []


def test_a_report_that_crosses_with_a_mute_is_nothing() -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", muted=True))
    assert scenario.do(Speech("a", speaking=True)) == []
    scenario.do(Update("a", muted=False))
    assert not scenario.participant("a").speaking
    assert scenario.do(Speech("a", speaking=True)) == ["participant-speech-start"]


def test_stop_shows_the_participant_as_it_was_when_it_stopped() -> None:
    scenario = started("a", "b")
    scenario.do(Speech("a", speaking=True))
    scenario.do(Update("a", muted=True))
    stop, mute = (entry.wire["params"] for entry in scenario.log[-2:])
    assert (stop["status"], stop["call_id"], stop["muted"]) == ("participant-speech-stop", "a", False)
    assert mute["muted"] is True


def test_a_coach_that_loses_its_coachee_while_speaking_stops() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Speech("c", speaking=True))
    assert scenario.do(Leave("a")) == ["participant-leave", "participant-speech-stop", "participant-modify"]
    assert scenario.logged()[-3:] == [
        ("participant-leave", "a"),
        ("participant-speech-stop", "c"),
        ("participant-modify", "c"),
    ]


def test_a_speaker_that_begins_or_ceases_to_coach_goes_on_speaking() -> None:
    scenario = started("a", "b")
    scenario.do(Speech("b", speaking=True))
    assert scenario.do(Update("b", coach="a")) == ["participant-modify"]
    assert scenario.do(Update("b", coaching=False)) == ["participant-modify"]
    assert scenario.participant("b").speaking


def test_one_who_waits_says_nothing_and_speaks_from_the_start_on() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    assert scenario.do(Speech("a", speaking=True)) == []
    scenario.join("s")
    assert scenario.do(Speech("a", speaking=True)) == ["participant-speech-start"]
