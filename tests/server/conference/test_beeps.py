from server.conference.beeps import Beep, beeps
from server.conference.commands import Kick, Leave, Update
from tests.server.conference.scenario import Scenario, a_join, started


def test_nothing_that_is_not_coming_or_going_beeps() -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", muted=True, hold=True, gain_db=3.0))
    assert scenario.beeps == []


def test_no_events_no_beeps() -> None:
    assert beeps([], started("a", "b").conference) == []


def test_a_coachee_that_leaves_beeps_once_though_its_coach_is_modified() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Leave("a"))
    assert scenario.beeps == [Beep("leave", "a")]


def test_who_beeps_out_is_asked_of_the_stay_that_ends() -> None:
    scenario = started("a", "b")
    scenario.do(Update("b", beep_on_exit=False))
    scenario.do(Leave("b"))
    assert scenario.beeps == []
    scenario.join("b")
    assert scenario.beeps == [Beep("enter", "b")]
    scenario.do(Kick("b"))
    assert scenario.beeps == [Beep("leave", "b")]


def test_all_events_of_a_step_are_looked_at() -> None:
    scenario = Scenario()
    scenario.do(a_join("a", start_on_enter=False))
    joined = scenario.events(a_join("s"))
    assert [type(event).__name__ for event in joined] == ["ParticipantJoined", "ConferenceStarted"]
    assert beeps(joined, scenario.conference) == [Beep("enter", "s")]
