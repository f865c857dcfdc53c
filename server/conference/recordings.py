"""What is known of a conference's recordings: who asked, whether time is being recorded, and what came of it.

The rules are in `recording_rules`; sound, files and clocks of samples belong to the recorder.
"""

from dataclasses import dataclass
from enum import StrEnum


class RecordingSource(StrEnum):
    """Who asked for a recording; the field's words."""

    CONFERENCE = "Conference"
    API = "StartConferenceRecordingAPI"


class RecordingState(StrEnum):
    """Where a recording is; the last three are final."""

    IN_PROGRESS = "in-progress"
    PAUSED = "paused"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ABSENT = "absent"
    """Nothing was to be heard, or the conference never started: there is no audio."""
    FAILED = "failed"
    """It could not be written to its end; what was written may be there."""

    @property
    def running(self) -> bool:
        """Whether it still takes part in the conference: it can be paused, resumed and stopped."""
        return self in (RecordingState.IN_PROGRESS, RecordingState.PAUSED)

    @property
    def final(self) -> bool:
        """Whether nothing of it will change any more."""
        return self in (RecordingState.COMPLETED, RecordingState.ABSENT, RecordingState.FAILED)


class PauseBehavior(StrEnum):
    """What becomes of the time of a pause."""

    SILENCE = "silence"
    """It is kept, silent."""
    SKIP = "skip"
    """It is left out."""


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """A recording that is to be, or is, made."""

    recording_id: str
    url: str
    """Where its audio can be had, without an extension."""
    trim: bool = True
    """Silence at both ends of the room's sound is not published."""
    tracks: bool = False
    """Each participant's voice is recorded by itself, too."""


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What came of a recording."""

    state: RecordingState
    """A final one."""
    duration_s: float = 0.0
    byte_size: int = 0
    recovered: bool = False
    """Its recorder died; this is what it had written."""
    lost_ms: int = 0
    """Of a recovered one: time at the end that was not written."""
    reason: str | None = None
    """Of a failed one: a word for programs, like `disk_full`."""

    def __post_init__(self) -> None:
        if not self.state.final:
            raise ValueError(f"{self.state} is not how a recording ends")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a conference. Times are Unix seconds."""

    plan: RecordingPlan
    source: RecordingSource
    started_at: float
    state: RecordingState = RecordingState.IN_PROGRESS
    skipping_since: float | None = None
    """Of a pause that goes on and whose time is left out."""
    skipped_s: float = 0.0
    """Time left out by pauses that are over."""
    stopped_at: float | None = None
    result: RecordingResult | None = None
    """Known a little before everybody is told."""

    @property
    def recording_id(self) -> str:
        """The id of the recording."""
        return self.plan.recording_id

    def recorded_s(self, now: float) -> float:
        """Return how much time it has taken in by `now`: exact to the moments at which it was told to do things."""
        until = self.stopped_at if self.stopped_at is not None else now
        skipping_s = until - self.skipping_since if self.skipping_since is not None else 0.0
        return max(0.0, until - self.started_at - self.skipped_s - skipping_s)
