"""The states of a conference and of a participant as tables: what is not in them cannot happen.

`evolve` moves by these tables and `diagram` draws them; the rules that bring an event about are in `decide`.
"""

from typing import Final

from server.conference.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnnouncementQueued,
    AnnouncementStarted,
    ConferenceEnded,
    ConferenceStarted,
    Event,
    ParticipantConnected,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantLost,
    ParticipantModified,
    ParticipantMuted,
    ParticipantSentDigit,
    ParticipantSpeechStarted,
    ParticipantSpeechStopped,
    ParticipantUnheld,
    ParticipantUnmuted,
    RecordingMeasured,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    RecordingStopping,
)
from server.conference.model import ConferenceState, ParticipantState

_STAYING: Final[tuple[type[Event], ...]] = (
    ParticipantJoined,
    ParticipantConnected,
    ParticipantMuted,
    ParticipantUnmuted,
    ParticipantHeld,
    ParticipantUnheld,
    ParticipantModified,
    ParticipantLost,
    ParticipantSentDigit,
    ParticipantSpeechStarted,
    ParticipantSpeechStopped,
    ParticipantLeft,
    AnnouncementQueued,
    AnnouncementStarted,
    AnnouncementEnded,
    AnnouncementFailed,
)

CONFERENCE: Final[dict[tuple[ConferenceState, type[Event]], ConferenceState]] = {
    **{(state, kind): state for state in (ConferenceState.WAITING, ConferenceState.ACTIVE) for kind in _STAYING},
    **{
        (ConferenceState.ACTIVE, kind): ConferenceState.ACTIVE
        for kind in (
            RecordingStarted,
            RecordingPaused,
            RecordingResumed,
            RecordingStopping,
            RecordingMeasured,
            RecordingStopped,
        )
    },
    (ConferenceState.ENDED, RecordingStopped): ConferenceState.ENDED,
    (ConferenceState.WAITING, ConferenceStarted): ConferenceState.ACTIVE,
    (ConferenceState.WAITING, ConferenceEnded): ConferenceState.ENDED,
    (ConferenceState.ACTIVE, ConferenceEnded): ConferenceState.ENDED,
}
"""(state, event) -> state after it."""

PARTICIPANT: Final[dict[tuple[ParticipantState, type[Event], ConferenceState], ParticipantState]] = {
    (ParticipantState.CONNECTING, ConferenceStarted, ConferenceState.ACTIVE): ParticipantState.CONNECTING,
    (ParticipantState.CONNECTING, ParticipantConnected, ConferenceState.WAITING): ParticipantState.WAITING,
    (ParticipantState.CONNECTING, ParticipantConnected, ConferenceState.ACTIVE): ParticipantState.ACTIVE,
    (ParticipantState.WAITING, ConferenceStarted, ConferenceState.ACTIVE): ParticipantState.ACTIVE,
    (ParticipantState.CONNECTING, ParticipantLeft, ConferenceState.WAITING): ParticipantState.LEFT,
    (ParticipantState.CONNECTING, ParticipantLeft, ConferenceState.ACTIVE): ParticipantState.LEFT,
    (ParticipantState.WAITING, ParticipantLeft, ConferenceState.WAITING): ParticipantState.LEFT,
    (ParticipantState.ACTIVE, ParticipantLeft, ConferenceState.ACTIVE): ParticipantState.LEFT,
}
"""(state, event, the conference's state after the event) -> state after it. Other events move nobody."""


class IllegalTransitionError(Exception):
    """An event that cannot follow on this state: our mistake or a damaged journal, never a user's."""


def conference_after(state: ConferenceState, event: Event) -> ConferenceState:
    """Return the conference's state after `event`; `IllegalTransitionError` if the table has no such step."""
    try:
        return CONFERENCE[state, type(event)]
    except KeyError:
        raise IllegalTransitionError(f"{type(event).__name__} in a conference that is {state}") from None


def participant_after(state: ParticipantState, event: type[Event], conference: ConferenceState) -> ParticipantState:
    """Return a participant's state after an event of that kind left its conference in state `conference`."""
    try:
        return PARTICIPANT[state, event, conference]
    except KeyError:
        raise IllegalTransitionError(f"{event.__name__} for a participant who is {state}, {conference=}") from None
