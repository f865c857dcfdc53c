"""What each event changes: the fold by which a conference is rebuilt from its log.

No rule is checked here beyond the tables of `transitions`; an event has happened, so it is taken as true.
"""

from collections.abc import Mapping
from dataclasses import replace

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
from server.conference.model import SERVERS_MUSIC, Conference, ConferenceState, Participant, ParticipantState
from server.conference.recorded import recorded, stopping
from server.conference.transitions import IllegalTransitionError, conference_after, participant_after


def evolve(conference: Conference | None, event: Event) -> Conference:
    """Return the conference after `event`; None is the conference before its first one.

    Raises `IllegalTransitionError` for an event that cannot follow.
    """
    if conference is None:
        conference = _created(event)
    state = conference_after(conference.state, event)
    sequence = conference.sequence + 1 if event.logged else conference.sequence
    return _changed(replace(conference, state=state, sequence=sequence), event)


def _created(event: Event) -> Conference:
    if not isinstance(event, ParticipantJoined):
        raise IllegalTransitionError(f"{type(event).__name__} before the first participant joined")
    return Conference(
        conference_id=event.conference_id,
        name=event.name,
        project_id=event.project_id,
        created_at=event.at,
        settings=event.settings,
    )


def _changed(conference: Conference, event: Event) -> Conference:
    match event:
        case ParticipantJoined():
            return _joined(conference, event)
        case ConferenceStarted():
            return replace(conference, started_at=event.at, participants=_all_started(conference))
        case ParticipantLeft():
            return _left(conference, event)
        case ConferenceEnded():
            return replace(
                conference,
                ended_at=event.at,
                reason_ended=event.reason,
                call_id_ending_conf=event.call_id_ending_conf,
                recordings=tuple(stopping(recording, event.at) for recording in conference.recordings),
            )
        case ParticipantLost() | ParticipantSentDigit():
            _of(conference, event.call_id)
            return conference
        case AnnouncementQueued() | AnnouncementStarted() | AnnouncementEnded() | AnnouncementFailed():
            return _announced(conference, event)
        case (
            RecordingStarted()
            | RecordingPaused()
            | RecordingResumed()
            | RecordingStopping()
            | RecordingMeasured()
            | RecordingStopped()
        ):
            return recorded(conference, event)
        case _:
            return _with(conference, _changed_participant(conference, event))


def _changed_participant(
    conference: Conference,
    event: ParticipantConnected
    | ParticipantMuted
    | ParticipantUnmuted
    | ParticipantHeld
    | ParticipantUnheld
    | ParticipantModified
    | ParticipantSpeechStarted
    | ParticipantSpeechStopped,
) -> Participant:
    participant = _of(conference, event.call_id)
    match event:
        case ParticipantConnected():
            return replace(participant, state=participant_after(participant.state, type(event), conference.state))
        case ParticipantMuted() | ParticipantUnmuted():
            return replace(participant, muted=isinstance(event, ParticipantMuted))
        case ParticipantHeld():
            return replace(participant, hold=True, hold_music=event.hold_music)
        case ParticipantUnheld():
            return replace(participant, hold=False, hold_music=SERVERS_MUSIC)
        case ParticipantSpeechStarted() | ParticipantSpeechStopped():
            return replace(participant, speaking=isinstance(event, ParticipantSpeechStarted))
        case ParticipantModified():
            return replace(
                participant,
                coaching=event.coaching,
                coach=event.coach,
                end_on_exit=event.end_on_exit,
                gain_db=event.gain_db,
                beep_on_exit=event.beep_on_exit,
                wait_music=event.wait_music,
                hold_music=event.hold_music,
            )


def _announced(
    conference: Conference, event: AnnouncementQueued | AnnouncementStarted | AnnouncementEnded | AnnouncementFailed
) -> Conference:
    announcement = event.announcement
    if announcement.call_id is not None:
        _of(conference, announcement.call_id)
    match event:
        case AnnouncementQueued():
            return replace(conference, announcements=(*conference.announcements, announcement))
        case AnnouncementStarted():
            return conference
        case AnnouncementEnded() | AnnouncementFailed():
            # In a log there is only the end of it, so it may be unknown here.
            others = (a for a in conference.announcements if a.announcement_id != announcement.announcement_id)
            return replace(conference, announcements=tuple(others))


def _joined(conference: Conference, event: ParticipantJoined) -> Conference:
    if conference.find_present(event.call_id) is not None:
        raise IllegalTransitionError(f"{event.call_id} joined twice")
    state = ParticipantState.CONNECTING
    if event.media_connected:
        state = participant_after(state, ParticipantConnected, conference.state)
    participants = dict(conference.participants)
    # A call that comes back starts a new stay, after those who joined while it was away.
    earlier = participants.pop(event.call_id, None)
    participants[event.call_id] = Participant(
        call_id=event.call_id,
        joined_at=event.at,
        number=len(conference.participants) + len(conference.earlier_stays) + 1,
        state=state,
        label=event.label,
        metadata=event.metadata,
        tag=event.tag,
        muted=event.muted,
        coaching=event.coach is not None,
        coach=event.coach,
        start_on_enter=event.start_on_enter,
        end_on_exit=event.end_on_exit,
        beep_on_enter=event.beep_on_enter,
        beep_on_exit=event.beep_on_exit,
        wait_music=event.wait_music,
    )
    return replace(
        conference,
        settings=event.settings,
        participants=participants,
        earlier_stays=conference.earlier_stays if earlier is None else (*conference.earlier_stays, earlier),
        size=conference.size + 1,
    )


def _all_started(conference: Conference) -> Mapping[str, Participant]:
    return {
        call_id: replace(p, state=participant_after(p.state, ConferenceStarted, ConferenceState.ACTIVE))
        if p.present
        else p
        for call_id, p in conference.participants.items()
    }


def _left(conference: Conference, event: ParticipantLeft) -> Conference:
    participant = _of(conference, event.call_id)
    state = participant_after(participant.state, type(event), conference.state)
    left = replace(participant, state=state, left_at=event.at, reason_left=event.reason)
    return replace(_with(conference, left), size=conference.size - 1)


def _of(conference: Conference, call_id: str) -> Participant:
    participant = conference.find_present(call_id)
    if participant is None:
        raise IllegalTransitionError(f"{call_id} is not in {conference.conference_id}")
    return participant


def _with(conference: Conference, participant: Participant) -> Conference:
    participants = {**conference.participants, participant.call_id: participant}
    return replace(conference, participants=participants)
