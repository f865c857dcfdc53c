"""Finished recordings on disk, and rows that tell of them."""

from pathlib import Path
from typing import Any

from recording.catalog import Manifest
from server.conference.recordings import RecordingState
from server.recordings.model import RecordingRow
from tests.recording.making import record, recorder_in


def finished(directory: Path, *, ticks: int = 50, **fields: Any) -> Manifest:
    """A second of a tone in the room and in two tracks."""
    directory.mkdir(exist_ok=True)
    recorder = recorder_in(directory, **fields)
    for index, call_id in enumerate(("anna", "ben")):
        recorder.mark(0, {"track": index, "call_id": call_id})
    record(recorder, range(ticks), tracks=(0, 1))
    return recorder.finish("stopped", ticks - 1)


def row_of(manifest: Manifest, **fields: Any) -> RecordingRow:
    values: dict[str, Any] = {
        "recording_id": manifest.recording_id,
        "conference_id": manifest.conference_id,
        "project_id": manifest.project_id,
        "name": manifest.name,
        "source": "Conference",
        "status": RecordingState(manifest.status),
        "started_at": manifest.started_at,
        "stopped_at": manifest.ended_at,
        "manifest": manifest.dump().decode(),
    }
    return RecordingRow(**(values | fields))
