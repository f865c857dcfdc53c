"""The EVENT users see: the envelope of `calling.conference` with our additions.

One rendering serves the history, webhooks, SSE and RELAY sockets (which put the leg's own call id into
`call_id`); it is made once, when the event is logged, and never again.
"""

from dataclasses import asdict, dataclass
from typing import Any, Final

from server.conference.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnnouncementQueued,
    AnnouncementStarted,
    ConferenceEnded,
    ConferenceStarted,
    Event,
    ParticipantLeft,
    ParticipantModified,
    ParticipantSentDigit,
    RecordingMeasured,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    RecordingStopping,
)
from server.conference.model import Announcement, Conference, EndReason, Participant
from server.conference.recordings import Recording, RecordingState

EVENT_TYPE: Final = "calling.conference"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which server speaks."""

    node_id: str
    space_id: str


def event_json(conference: Conference, event: Event, event_id: str, origin: Origin) -> dict[str, Any]:
    """Return the EVENT of a logged `event`; `conference` is as the event left it.

    Raises `ValueError` for an event that is not logged.
    """
    if event.status is None:
        raise ValueError(f"{type(event).__name__} is not an event for users")
    return {
        "id": event_id,
        "sequence": conference.sequence,
        "event_type": EVENT_TYPE,
        "event_channel": f"conference:{conference.conference_id}",
        "timestamp": event.at,
        "project_id": conference.project_id,
        "space_id": origin.space_id,
        "size": conference.size,
        "params": _params(conference, event, origin),
    }


def _params(conference: Conference, event: Event, origin: Origin) -> dict[str, Any]:
    params: dict[str, Any] = {
        "conference_id": conference.conference_id,
        "name": conference.name,
        "status": event.status,
        "size": conference.size,
        "sequence": conference.sequence,
        "timestamp": event.at,
        "node_id": origin.node_id,
        "participant_call_id": None,
    }
    if conference.region is not None:
        params["region"] = conference.region
    if isinstance(event, ConferenceEnded):
        params |= _about_end(conference, event)
    elif isinstance(event, ConferenceStarted):
        params |= {"call_id": event.call_id, "participant_call_id": event.call_id}
    elif isinstance(event, AnnouncementQueued | AnnouncementStarted | AnnouncementEnded | AnnouncementFailed):
        params |= _about_announcement(conference, event.announcement)
    elif isinstance(event, RecordingStarted | RecordingPaused | RecordingResumed | RecordingStopped):
        params |= _about_recording(conference, event)
    elif not isinstance(event, RecordingStopping | RecordingMeasured):
        params |= _about_participant(conference.participants[event.call_id])
    match event:
        case ParticipantLeft():
            params["reason_left"] = event.reason.value
            if event.media is not None:
                params["media"] = asdict(event.media)
        case ParticipantSentDigit():
            params |= {"digit": event.digit, "duration_ms": event.duration_ms}
        case ParticipantModified():
            params |= {"gain_db": event.gain_db, "beep_on_exit": event.beep_on_exit}
        case AnnouncementFailed():
            params["reason_announcement_failed"] = event.reason
    return params


def _about_participant(participant: Participant) -> dict[str, Any]:
    about: dict[str, Any] = {
        "call_id": participant.call_id,
        "participant_call_id": participant.call_id,
        "muted": participant.muted,
        "hold": participant.hold,
        "coaching": participant.coaching,
        "start_on_join": participant.start_on_enter,
        "end_on_leave": participant.end_on_exit,
    }
    optional = {"coach": participant.coach, "label": participant.label, "tag": participant.tag}
    return about | {name: value for name, value in optional.items() if value is not None}


def _about_announcement(conference: Conference, announcement: Announcement) -> dict[str, Any]:
    about: dict[str, Any] = {"announcement_id": announcement.announcement_id, "announce_url": announcement.url}
    if announcement.call_id is None:
        return about
    return about | _about_participant(conference.participants[announcement.call_id])


def _about_recording(
    conference: Conference, event: RecordingStarted | RecordingPaused | RecordingResumed | RecordingStopped
) -> dict[str, Any]:
    recording_id = event.plan.recording_id if isinstance(event, RecordingStarted) else event.recording_id
    recording = conference.find_recording(recording_id)
    assert recording is not None, "an event of a recording leaves it in the conference"
    about: dict[str, Any] = {
        "recording_id": recording_id,
        "recording_status": recording.state.value,
        "recording_source": recording.source.value,
        "recording_start_time": recording.started_at,
        "recording_channels": 1,
    }
    if isinstance(event, RecordingPaused):
        about["pause_behavior"] = event.behavior.value
    if recording.state is not RecordingState.ABSENT:
        about["recording_url"] = recording.plan.url
    return about | _result(recording, event.at)


def _result(recording: Recording, now: float) -> dict[str, Any]:
    """What came of a recording; of one whose files are not done, how long it has taken by the clock."""
    result = recording.result
    if result is None:
        return {"recording_duration": round(recording.recorded_s(now), 3)}
    about: dict[str, Any] = {
        "recording_duration": round(result.duration_s, 3),
        "recording_file_size": result.byte_size,
    }
    if result.recovered:
        about |= {"recovered": True, "lost_ms": result.lost_ms}
    if result.reason is not None:
        about["reason"] = result.reason
    return about


def _about_end(conference: Conference, event: ConferenceEnded) -> dict[str, Any]:
    about: dict[str, Any] = {
        "reason_ended": event.reason.value,
        "participant_call_id": event.call_id_ending_conf,
    }
    if event.call_id_ending_conf is not None:
        about |= {"call_id": event.call_id_ending_conf, "call_id_ending_conf": event.call_id_ending_conf}
        label = conference.participants[event.call_id_ending_conf].label
        if label is not None:
            about["label_ending_conf"] = label
    if conference.recordings:
        # The last one: the field has room for one, and of several it is the one that the end cut off.
        recording = conference.recordings[-1]
        about["recording_id"] = recording.recording_id
        if recording.result is None or recording.result.state is not RecordingState.ABSENT:
            about["recording_url"] = recording.plan.url
        # Nobody knows when a server that was killed stopped recording, until its files are looked at.
        if recording.result is not None or event.reason is not EndReason.SERVER_RESTARTED:
            about |= _result(recording, event.at)
    return about
