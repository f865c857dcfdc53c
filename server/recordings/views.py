"""RECORDING as users see it: of one that goes on from its conference, of one that is done from its row and manifest."""

from typing import Any, Final
from urllib.parse import quote

import structlog

from recording.catalog import MalformedError, Manifest, PublishedTrack
from server.conference.moments import rfc3339_ms
from server.conference.recordings import Recording
from server.recordings.model import RecordingRow

log = structlog.get_logger(__name__)

CHANNELS: Final = 1


def audio_url(link_base: str, recording_id: str) -> str:
    """Return where a recording's audio can be had, without an extension."""
    return f"{link_base}/v1/recordings/{recording_id}/audio"


def running_view(conference_id: str, recording: Recording, now: float, link_base: str) -> dict[str, Any]:
    """Return RECORDING for one that goes on, or whose files are being made; its length by the clock."""
    return {
        "recording_id": recording.recording_id,
        "conference_id": conference_id,
        "status": recording.state.value,
        "started_at": rfc3339_ms(recording.started_at),
        "duration_s": round(recording.recorded_s(now), 3),
        "channels": CHANNELS,
        "sample_rate": None,
        "byte_size": None,
        "sha256": None,
        "trim": _trim(recording.plan.trim),
        "url": audio_url(link_base, recording.recording_id),
        "tracks": [],
    }


def row_view(row: RecordingRow, link_base: str) -> dict[str, Any]:
    """Return RECORDING for one whose conference is over, or that is over itself."""
    manifest = manifest_of(row) if row.final else None
    audio = None if manifest is None else manifest.files.audio
    pending = not row.final
    return {
        "recording_id": row.recording_id,
        "conference_id": row.conference_id,
        "status": row.status.value,
        "started_at": rfc3339_ms(row.started_at),
        "duration_s": round(row.duration_s or 0.0, 3),
        "channels": CHANNELS,
        "sample_rate": None if audio is None or manifest is None else manifest.sample_rate,
        "byte_size": None if audio is None else audio.byte_size,
        "sha256": None if audio is None else audio.sha256,
        "trim": _trim(row.trim),
        "url": audio_url(link_base, row.recording_id) if audio is not None or pending else None,
        "tracks": [] if manifest is None else [_track(row, track, link_base) for track in manifest.files.tracks],
    }


def manifest_of(row: RecordingRow) -> Manifest | None:
    """Return the manifest of a row; None if there is none yet, or none that can be read."""
    if row.manifest is None:
        return None
    try:
        return Manifest.parse(row.manifest)
    except MalformedError as error:
        log.error("manifest_unreadable", recording_id=row.recording_id, reason=str(error))
        return None


def _track(row: RecordingRow, track: PublishedTrack, link_base: str) -> dict[str, Any]:
    call = quote(track.call_id, safe="")
    return {
        "call_id": track.call_id,
        "joined_offset_s": track.joined_offset_s,
        "duration_s": track.duration_s,
        "byte_size": track.byte_size,
        "sha256": track.sha256,
        "url": f"{link_base}/v1/recordings/{row.recording_id}/tracks/{call}/audio.flac",
    }


def _trim(trim: bool) -> str:
    return "trim-silence" if trim else "do-not-trim"
