"""What each event changes about a conference's recordings: the part of `evolve` that is about them."""

from dataclasses import replace

from server.conference.events import (
    RecordingMeasured,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    RecordingStopping,
)
from server.conference.model import Conference
from server.conference.recordings import PauseBehavior, Recording, RecordingSource, RecordingState
from server.conference.transitions import IllegalTransitionError

RecordingEvent = (
    RecordingStarted | RecordingPaused | RecordingResumed | RecordingStopping | RecordingMeasured | RecordingStopped
)


def recorded(conference: Conference, event: RecordingEvent) -> Conference:
    """Return the conference after an event about a recording."""
    if isinstance(event, RecordingStarted):
        return _with(conference, Recording(event.plan, event.source, event.at))
    recording = conference.find_recording(event.recording_id)
    if recording is None:
        recording = _never_begun(conference, event)
    match event:
        case RecordingPaused():
            since = event.at if event.behavior is PauseBehavior.SKIP else None
            return _with(conference, replace(recording, state=RecordingState.PAUSED, skipping_since=since))
        case RecordingResumed():
            return _with(conference, _resumed(recording, event.at))
        case RecordingStopping():
            return _with(conference, stopping(recording, event.at))
        case RecordingMeasured():
            return _with(conference, replace(recording, result=event.result))
        case RecordingStopped():
            over = stopping(recording, event.at)
            return _with(conference, replace(over, state=event.result.state, result=event.result))


def stopping(recording: Recording, at: float) -> Recording:
    """Return a recording after it was stopped, by a request or because its conference ended."""
    if not recording.state.running:
        return recording
    return replace(_resumed(recording, at), state=RecordingState.PROCESSING, stopped_at=at)


def _resumed(recording: Recording, at: float) -> Recording:
    skipped_s = recording.skipped_s
    if recording.skipping_since is not None:
        skipped_s += at - recording.skipping_since
    return replace(recording, state=RecordingState.IN_PROGRESS, skipping_since=None, skipped_s=skipped_s)


def _never_begun(conference: Conference, event: RecordingEvent) -> Recording:
    plan = conference.settings.recording
    if not isinstance(event, RecordingStopped) or plan is None or plan.recording_id != event.recording_id:
        raise IllegalTransitionError(f"{type(event).__name__} of a recording that never was")
    return Recording(plan, RecordingSource.CONFERENCE, event.at)


def _with(conference: Conference, recording: Recording) -> Conference:
    others = tuple(r for r in conference.recordings if r.recording_id != recording.recording_id)
    if len(others) == len(conference.recordings):
        return replace(conference, recordings=(*others, recording))
    swapped = (recording if r.recording_id == recording.recording_id else r for r in conference.recordings)
    return replace(conference, recordings=tuple(swapped))
