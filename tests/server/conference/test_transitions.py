import pytest

from server.conference.events import (
    ConferenceStarted,
    ParticipantConnected,
    ParticipantLeft,
    ParticipantMuted,
    RecordingStopped,
)
from server.conference.model import ConferenceState, LeftReason, ParticipantState
from server.conference.transitions import (
    CONFERENCE,
    PARTICIPANT,
    IllegalTransitionError,
    conference_after,
    participant_after,
)
from tests.server.conference.examples import EVENTS, KINDS


def test_a_conference_never_goes_back() -> None:
    order = list(ConferenceState)
    assert all(order.index(after) >= order.index(before) for (before, _), after in CONFERENCE.items())


def test_nothing_leads_out_of_the_end() -> None:
    after_the_end = {kind for before, kind in CONFERENCE if before is ConferenceState.ENDED}
    assert after_the_end == {RecordingStopped}
    assert CONFERENCE[ConferenceState.ENDED, RecordingStopped] is ConferenceState.ENDED
    assert ParticipantState.LEFT not in {before for before, _, _ in PARTICIPANT}


def test_every_kind_of_event_has_its_place() -> None:
    assert {kind for _, kind in CONFERENCE} == set(KINDS)


def test_everybody_present_can_leave_before_and_after_the_start() -> None:
    leaving = {(before, state) for (before, kind, state) in PARTICIPANT if kind is ParticipantLeft}
    waiting, active = ConferenceState.WAITING, ConferenceState.ACTIVE
    assert leaving == {
        (ParticipantState.CONNECTING, waiting),
        (ParticipantState.CONNECTING, active),
        (ParticipantState.WAITING, waiting),
        (ParticipantState.ACTIVE, active),
    }


def test_steps_that_are_not_in_the_tables_are_mistakes() -> None:
    with pytest.raises(IllegalTransitionError, match="ConferenceStarted in a conference that is active"):
        conference_after(ConferenceState.ACTIVE, ConferenceStarted(at=1.0, call_id="a"))
    with pytest.raises(IllegalTransitionError, match="ParticipantConnected for a participant who is left"):
        participant_after(ParticipantState.LEFT, ParticipantConnected, ConferenceState.ACTIVE)


def test_steps_follow_the_tables() -> None:
    left = ParticipantLeft(at=1.0, call_id="a", reason=LeftReason.HUNG_UP)
    assert conference_after(ConferenceState.WAITING, left) is ConferenceState.WAITING
    muted = ParticipantMuted(at=1.0, call_id="a")
    assert conference_after(ConferenceState.ACTIVE, muted) is ConferenceState.ACTIVE
    assert conference_after(ConferenceState.ACTIVE, EVENTS[-1]) is ConferenceState.ENDED
    after = participant_after(ParticipantState.CONNECTING, ParticipantConnected, ConferenceState.WAITING)
    assert after is ParticipantState.WAITING
