"""A recording's manifest: everything about it that its sound does not say.

Decides the fields and how they are read and written. All seconds but `started_at` and `ended_at` count on the
untrimmed room's time, on which tracks and `room` lie too; time that a `skip` pause cut out is not on it. The
published mix begins `trim.start_samples` later.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from recording.catalog.checking import MalformedError, build
from recording.catalog.names import is_published_file

FILE_NAME: Final = "manifest.json"

Status = Literal["completed", "absent", "failed"]


@dataclass(frozen=True, slots=True)
class Trim:
    """What was cut off the published mix, in samples at the recording's rate."""

    requested: bool
    start_samples: int = 0
    end_samples: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause. `skip` ones take no time: `until_s` is `at_s`, and `skipped_s` says how long it really was."""

    at_s: float
    until_s: float
    behavior: Literal["silence", "skip"]
    skipped_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence in place of sound that did not reach the recording, and why."""

    at_s: float
    duration_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class RecordedParticipant:
    """A call that was there while the recording ran. Spans end at the latest with the recording."""

    call_id: str
    label: str | None
    joins: tuple[float, ...]
    leaves: tuple[float, ...]
    mutes: tuple[Span, ...] = ()
    holds: tuple[Span, ...] = ()
    coaching: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file in the recording's folder, byte for byte."""

    name: str
    samples: int
    byte_size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class PublishedTrack:
    """One call's own voice. Its first sample is `joined_offset_s` after the untrimmed room's."""

    call_id: str
    name: str
    joined_offset_s: float
    duration_s: float
    samples: int
    byte_size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Files:
    """What was published. `room`: the whole mix, if the published one was trimmed."""

    audio: PublishedFile | None = None
    room: PublishedFile | None = None
    tracks: tuple[PublishedTrack, ...] = ()
    captures: tuple[PublishedFile, ...] = ()
    """Capture files that could not become tracks or part of the mix for lack of room; they play as they are."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of it. `status` is `failed` if not everything could be written; `files` has what could."""

    recording_id: str
    conference_id: str
    project_id: str
    name: str
    source: Literal["join", "api"]
    status: Status
    reason: str
    started_at: float
    ended_at: float
    sample_rate: int
    channels: int
    samples: int
    """Of the published mix."""
    duration_s: float
    trim: Trim
    pauses: tuple[Pause, ...]
    gaps: tuple[Gap, ...]
    participants: tuple[RecordedParticipant, ...]
    files: Files
    recovered: bool = False
    lost_ms: int = 0
    """What a recovered recording had heard but not yet written when it was cut off."""

    def all_files(self) -> list[PublishedFile | PublishedTrack]:
        """All that it lists."""
        files = self.files
        mixed: list[PublishedFile | PublishedTrack] = [file for file in (files.audio, files.room) if file is not None]
        return [*mixed, *files.tracks, *files.captures]

    def dump(self) -> bytes:
        """As it is in the file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode() + b"\n"

    @staticmethod
    def parse(content: bytes | str) -> "Manifest":
        """Raises MalformedError."""
        try:
            value = json.loads(content)
        except ValueError as error:
            raise MalformedError(f"the manifest is not JSON: {error}") from None
        manifest = build(Manifest, value)
        for file in manifest.all_files():
            if not is_published_file(file.name):
                raise MalformedError(f"the manifest lists a file that is none of ours: {file.name!r}")
        return manifest

    @staticmethod
    def load(path: Path) -> "Manifest":
        """From a file, or from the folder that has it. Raises MalformedError, OSError."""
        return Manifest.parse((path / FILE_NAME if path.is_dir() else path).read_bytes())
