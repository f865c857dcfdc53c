from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from server.conference.beeps import Beep, beeps
from server.conference.commands import Kick, Leave, Update
from server.conference.model import Participant
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


class Counted(Mapping[str, Participant]):
    """Participants, and how many of them were looked at."""

    def __init__(self, participants: Mapping[str, Participant]) -> None:
        self._participants = participants
        self.seen = 0

    def __getitem__(self, call_id: str) -> Participant:
        self.seen += 1
        return self._participants[call_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._participants)

    def __len__(self) -> int:
        return len(self._participants)

    def values(self) -> Any:
        return (self[call_id] for call_id in self)


def test_a_join_to_many_looks_at_no_more_participants_than_a_join_to_few() -> None:
    looks = []
    for many in (3, 30):
        scenario = started(*(f"c{number}" for number in range(many)))
        joined = scenario.events(a_join("new"))
        participants = Counted(scenario.conference.participants)
        assert beeps(joined, replace(scenario.conference, participants=participants)) == [Beep("enter", "new")]
        looks.append(participants.seen)
    assert looks[0] == looks[1]
