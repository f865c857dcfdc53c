"""What a command brings about, or why it is refused: the door to all the rules of a conference.

The rules themselves are in `joining`, `leaving`, `updating`, `announcing`, `recording_rules` and `speaking`. Nothing
here changes anything: the caller logs the events and then lets `evolve` apply them.
"""

from server.conference.announcing import announce, announcement_over
from server.conference.commands import (
    Announce,
    AnnouncementPlayed,
    AnnouncementUnplayable,
    Command,
    Digit,
    End,
    HangUp,
    Join,
    Kick,
    Leave,
    MeasureRecording,
    MediaConnected,
    MediaLost,
    PauseRecording,
    RecordingFinished,
    Report,
    ResumeRecording,
    Speech,
    StartRecording,
    StopRecording,
    Update,
)
from server.conference.events import (
    Event,
    ParticipantConnected,
    ParticipantLost,
    ParticipantSentDigit,
    RecordingMeasured,
)
from server.conference.joining import join
from server.conference.leaving import depart, end
from server.conference.model import Conference, ConferenceState, LeftReason, Participant, ParticipantState
from server.conference.recording_rules import finished, record
from server.conference.refusals import Refusal
from server.conference.speaking import speech
from server.conference.updating import update


def decide(conference: Conference | None, command: Command, now: float) -> list[Event]:
    """Return the events `command` brings about at `now` (Unix seconds), in order; none if it changes nothing.

    `conference` is None if there is none yet; only a `Join` makes one. Raises `Refusal`.
    """
    if isinstance(command, Join):
        return join(conference, command, now)
    if conference is None:
        raise Refusal("not_found", "there is no such conference")
    # What is reported may cross with a leave or an end on its way: that is nobody's mistake, so it is not refused.
    if isinstance(command, AnnouncementPlayed | AnnouncementUnplayable):
        return announcement_over(conference, command, now)
    if isinstance(command, MediaConnected | MediaLost | Digit | Speech):
        return _report(conference, command, now)
    if isinstance(command, RecordingFinished):
        return finished(conference, command, now)
    if conference.state is ConferenceState.ENDED:
        raise Refusal("conference_ended", f"the conference {conference.name!r} has ended")
    if isinstance(command, End):
        return end(conference, command, now)
    if isinstance(command, Announce):
        if command.call_id is not None:
            _present(conference, command.call_id)
        return announce(conference, command, now)
    if isinstance(command, StartRecording | PauseRecording | ResumeRecording | StopRecording):
        return record(conference, command, now)
    if isinstance(command, MeasureRecording):
        return [RecordingMeasured(at=now, recording_id=command.recording_id, result=command.result)]
    participant = _present(conference, command.call_id)
    match command:
        case Leave():
            return depart(conference, participant, command, LeftReason.UPDATED_VIA_API, now)
        case Kick():
            return depart(conference, participant, command, LeftReason.UPDATED_VIA_API, now)
        case HangUp():
            return depart(conference, participant, command, command.reason, now)
        case Update():
            return update(conference, participant, command, now)


def _present(conference: Conference, call_id: str) -> Participant:
    participant = conference.find_present(call_id)
    if participant is None:
        raise Refusal("not_in_conference", f"the call {call_id!r} is not in the conference {conference.name!r}")
    return participant


def _report(conference: Conference, report: Report, now: float) -> list[Event]:
    participant = conference.find_present(report.call_id)
    if participant is None:
        return []
    match report:
        case MediaConnected():
            connecting = participant.state is ParticipantState.CONNECTING
            return [ParticipantConnected(at=now, call_id=report.call_id)] if connecting else []
        case MediaLost():
            return [ParticipantLost(at=now, call_id=report.call_id)]
        case Speech():
            return speech(conference, participant, report, now)
        case Digit():
            return [
                ParticipantSentDigit(at=now, call_id=report.call_id, digit=report.digit, duration_ms=report.duration_ms)
            ]
