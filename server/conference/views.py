"""PARTICIPANT and the conference as the API shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from server.conference.model import Conference, Participant
from server.conference.moments import rfc3339_ms


@dataclass(frozen=True, slots=True)
class ConferenceSummary:
    """What lists show of a conference, and what the journal indexes. Times are Unix seconds."""

    conference_id: str
    project_id: str
    name: str
    status: str
    size: int
    region: str | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    reason_ended: str | None
    last_sequence: int


def summarize(conference: Conference) -> ConferenceSummary:
    """Return the summary of a conference as it is."""
    return ConferenceSummary(
        conference_id=conference.conference_id,
        project_id=conference.project_id,
        name=conference.name,
        status=conference.status,
        size=conference.size,
        region=conference.region,
        created_at=conference.created_at,
        started_at=conference.started_at,
        ended_at=conference.ended_at,
        reason_ended=None if conference.reason_ended is None else conference.reason_ended.value,
        last_sequence=conference.sequence,
    )


def summary_view(summary: ConferenceSummary, recording_ids: Sequence[str] = ()) -> dict[str, Any]:
    """Return the conference of the API from its summary."""
    return {
        "conference_id": summary.conference_id,
        "name": summary.name,
        "status": summary.status,
        "size": summary.size,
        "region": summary.region,
        "created_at": rfc3339_ms(summary.created_at),
        "started_at": _moment(summary.started_at),
        "ended_at": _moment(summary.ended_at),
        "reason_ended": summary.reason_ended,
        "recording_ids": list(recording_ids),
        "last_sequence": summary.last_sequence,
    }


def conference_view(conference: Conference) -> dict[str, Any]:
    """Return the conference of the API."""
    return summary_view(summarize(conference), [recording.recording_id for recording in conference.recordings])


def participant_view(conference: Conference, participant: Participant) -> dict[str, Any]:
    """Return PARTICIPANT."""
    return {
        "call_id": participant.call_id,
        "conference_id": conference.conference_id,
        "name": conference.name,
        "label": participant.label,
        "muted": participant.muted,
        "hold": participant.hold,
        "coaching": participant.coaching,
        "coach": participant.coach,
        "start_on_enter": participant.start_on_enter,
        "end_on_exit": participant.end_on_exit,
        "state": participant.state.value,
        "joined_at": rfc3339_ms(participant.joined_at),
        "left_at": _moment(participant.left_at),
        "reason_left": None if participant.reason_left is None else participant.reason_left.value,
        "speaking": participant.speaking,
        "metadata": dict(participant.metadata),
    }


def _moment(unix_s: float | None) -> str | None:
    return None if unix_s is None else rfc3339_ms(unix_s)
