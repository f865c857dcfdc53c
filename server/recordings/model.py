"""What the journal knows of a recording: one row, which outlives the events of its conference.

What came of it is in the events too; what only this row has is the manifest, where a second copy is, and that it was
deleted. Times are Unix seconds.
"""

from dataclasses import dataclass
from typing import Final

from server.conference.recordings import RecordingState

MANIFEST: Final = "manifest.json"
"""The file that tells all about a recording, beside its audio."""


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """A recording, whether it goes on, is done, or was deleted."""

    recording_id: str
    conference_id: str
    project_id: str
    name: str
    """Of the conference."""
    source: str
    status: RecordingState
    started_at: float
    stopped_at: float | None = None
    duration_s: float | None = None
    """None while it goes on."""
    byte_size: int | None = None
    reason: str | None = None
    recovered: bool = False
    lost_ms: int = 0
    trim: bool = True
    tracks: bool = False
    url: str | None = None
    """Where its audio was said to be when it began."""
    manifest: str | None = None
    """JSON, once its files are done."""
    remote_url: str | None = None
    """Where the second copy is, or is being made."""
    uploaded_at: float | None = None
    """When that copy was found to be whole."""
    deleted_at: float | None = None
    """Nobody is shown it any more; what is left of its files is still to be removed."""

    @property
    def final(self) -> bool:
        """Whether nothing of it will change but where it is kept."""
        return self.status.final
