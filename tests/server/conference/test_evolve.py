from typing import Any

import pytest

from server.conference.commands import End, Leave, Update
from server.conference.events import (
    ConferenceEnded,
    ConferenceStarted,
    Event,
    ParticipantConnected,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantLost,
    ParticipantMuted,
    ParticipantSentDigit,
)
from server.conference.evolve import evolve
from server.conference.model import Conference, ConferenceSettings, EndReason, LeftReason
from server.conference.transitions import IllegalTransitionError
from tests.server.conference.examples import EVENTS
from tests.server.conference.scenario import Scenario, started


def joined(call_id: str, **fields: Any) -> ParticipantJoined:
    return ParticipantJoined(
        **{
            "at": 1.0,
            "call_id": call_id,
            "conference_id": "conf-1",
            "name": "team",
            "project_id": "key-1",
            "settings": ConferenceSettings(),
        }
        | fields
    )


def fold(events: list[Event]) -> Conference | None:
    conference: Conference | None = None
    for event in events:
        conference = evolve(conference, event)
    return conference


def test_folding_the_log_gives_the_conference() -> None:
    scenario = started("a", "b", metadata={"k": 1}, max_participants=9, region="eu")
    scenario.join("c", coach="a", label="coach")
    scenario.do(Update("b", muted=True, hold=True, gain_db=3.0))
    scenario.do(Leave("a"))
    scenario.join("a")
    scenario.do(End())
    assert fold([entry.event for entry in scenario.log]) == scenario.conference


def test_logged_events_count_and_silent_ones_do_not() -> None:
    conference = evolve(None, joined("a"))
    assert conference.sequence == 1
    assert evolve(conference, ParticipantConnected(at=2.0, call_id="a")).sequence == 1
    assert evolve(conference, ParticipantLost(at=2.0, call_id="a")).sequence == 2


def test_the_conference_before_is_left_as_it_was() -> None:
    scenario = started("a", "b")
    before = scenario.conference
    scenario.do(Update("a", muted=True))
    scenario.do(Leave("a"))
    assert not before.participants["a"].muted
    assert before.size == 2


@pytest.mark.parametrize("event", EVENTS[1:], ids=lambda event: event.type)
def test_nothing_happens_before_the_first_join(event: Event) -> None:
    with pytest.raises(IllegalTransitionError):
        evolve(None, event)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_nothing_happens_after_the_end(event: Event) -> None:
    scenario = started("a")
    scenario.do(End())
    with pytest.raises(IllegalTransitionError):
        evolve(scenario.conference, event)


@pytest.mark.parametrize(
    "event",
    [
        joined("a"),
        ParticipantMuted(at=2.0, call_id="nobody"),
        ParticipantLost(at=2.0, call_id="gone"),
        ParticipantSentDigit(at=2.0, call_id="gone", digit="1", duration_ms=80),
        ParticipantLeft(at=2.0, call_id="gone", reason=LeftReason.HUNG_UP),
        ConferenceStarted(at=2.0, call_id="a"),
    ],
)
def test_what_cannot_follow_is_a_mistake(event: Event) -> None:
    scenario = started("a", "gone")
    scenario.do(Leave("gone"))
    with pytest.raises(IllegalTransitionError):
        evolve(scenario.conference, event)


def test_a_waiting_conference_can_end_without_having_started() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    ended = evolve(scenario.conference, ConferenceEnded(at=3.0, reason=EndReason.VIA_API))
    assert (ended.status, ended.started_at, ended.ended_at) == ("completed", None, 3.0)
