"""The rules of recording: when one starts, what may be done to it, and when everybody is told what came of it.

Nothing is recorded before the conference has started. One recording goes on at a time. What a join asked for starts
with the conference, or with that join if the conference goes on already. A recording ends by request or with its
conference; its `record-stop` comes when its files are done, which may be after the conference's end.
"""

from server.conference.commands import (
    PauseRecording,
    RecordingCommand,
    RecordingFinished,
    ResumeRecording,
    StartRecording,
    StopRecording,
)
from server.conference.events import (
    Event,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    RecordingStopping,
)
from server.conference.model import Conference, ConferenceState
from server.conference.recordings import RecordingPlan, RecordingResult, RecordingSource, RecordingState
from server.conference.refusals import Refusal


def record(conference: Conference, command: RecordingCommand, now: float) -> list[Event]:
    """Return what a request about a recording brings about; nothing if it is so already."""
    if isinstance(command, StartRecording):
        return _start(conference, command.plan, now)
    recording = conference.find_recording(command.recording_id)
    if recording is None:
        raise Refusal("not_found", f"the conference {conference.name!r} has no recording {command.recording_id!r}")
    if not recording.state.running:
        raise Refusal("recording_ended", f"the recording {command.recording_id!r} is {recording.state}")
    paused = recording.state is RecordingState.PAUSED
    match command:
        case PauseRecording():
            pause = RecordingPaused(at=now, recording_id=recording.recording_id, behavior=command.behavior)
            return [] if paused else [pause]
        case ResumeRecording():
            return [RecordingResumed(at=now, recording_id=recording.recording_id)] if paused else []
        case StopRecording():
            return [RecordingStopping(at=now, recording_id=recording.recording_id)]


def _start(conference: Conference, plan: RecordingPlan, now: float) -> list[Event]:
    if conference.state is not ConferenceState.ACTIVE:
        raise Refusal("conference_not_started", f"the conference {conference.name!r} has not started")
    running = conference.recording
    if running is not None:
        raise Refusal("recording_in_progress", f"the recording {running.recording_id!r} is {running.state}")
    return [RecordingStarted(at=now, plan=plan, source=RecordingSource.API)]


def begin(conference: Conference | None, plan: RecordingPlan | None, now: float, *, active: bool) -> list[Event]:
    """Return the recording that joins asked for, if this moment begins it.

    `plan` is the one of the conference as it is about to be; `active` says whether it will be in progress.
    """
    if plan is None or not active:
        return []
    known = conference is not None and conference.find_recording(plan.recording_id) is not None
    if known or (conference is not None and conference.recording is not None):
        return []
    return [RecordingStarted(at=now, plan=plan, source=RecordingSource.CONFERENCE)]


def finished(conference: Conference, command: RecordingFinished, now: float) -> list[Event]:
    """Return the end of a recording; once."""
    recording = conference.find_recording(command.recording_id)
    if recording is None or recording.state.final:
        return []
    return [RecordingStopped(at=now, recording_id=command.recording_id, result=command.result)]


def after_the_end(conference: Conference, now: float) -> list[Event]:
    """Return what is known of the conference's recordings when it ends; it comes right after `conference-end`."""
    events: list[Event] = [
        RecordingStopped(at=now, recording_id=recording.recording_id, result=recording.result)
        for recording in conference.recordings
        if recording.result is not None and not recording.state.final
    ]
    plan = conference.settings.recording
    if plan is not None and conference.state is ConferenceState.WAITING:
        absent = RecordingResult(RecordingState.ABSENT, reason="conference_never_started")
        events.append(RecordingStopped(at=now, recording_id=plan.recording_id, result=absent))
    return events
