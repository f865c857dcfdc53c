"""What the server and a recorder process say to each other, and what a recorder is told at birth.

One JSON object a packet. Decides the names and their meaning; sockets are the process's and the server's
business. `TYPE` stands in the JSON as `type`. Unknown fields are refused: both ends are of one version, so a
stray field is a mistake.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Literal

from recording.catalog.checking import MalformedError, build

NoteKind = Literal["joined", "left", "labelled", "muted", "unmuted", "held", "unheld", "coaching", "uncoached"]
"""What a note may tell of a call. `muted`, `held`, `coaching` last until the call's next `unmuted`, `unheld`,
`uncoached`, or until it leaves."""

FailureReason = Literal["disk_full", "read_only", "folder_gone", "io_error"]


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """What one recording is of and where it goes."""

    recording_id: str
    """A UUID; the folder's name is made of it and of nothing else."""
    directory: str
    """The folder that all recordings are in; it exists already."""
    conference_id: str
    project_id: str
    conference_name: str
    started_unix_s: float
    """When tick 0 began."""
    trim: bool = True
    """Cut silence off both ends of the published mix."""
    tracks: bool = False
    source: Literal["join", "api"] = "join"


@dataclass(frozen=True, slots=True)
class Note:
    """Server → recorder: something about a call that the manifest tells. Not answered."""

    TYPE: ClassVar = "note"
    unix_s: float
    kind: NoteKind
    call_id: str
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Server → recorder: end the recording and publish it. Answered by `Finished` or `Failed`."""

    TYPE: ClassVar = "finish"
    reason: str
    """What the manifest says why it ended: `stopped`, `conference_ended`, `shutdown`..."""


@dataclass(frozen=True, slots=True)
class Started:
    """Recorder → server, once: the capture folder is there and the first sound can come."""

    TYPE: ClassVar = "started"
    recording_id: str
    pid: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Recorder → server, about every second."""

    TYPE: ClassVar = "progress"
    recording_id: str
    last_tick: int
    """Of what was seen, -1 at first."""
    bytes_written: int
    dropped_ticks: int
    """That the mixer had no room for in the feed, since the recording began."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Recorder → server, once: no more is written. A `Finished` with what could be kept follows in the end."""

    TYPE: ClassVar = "failed"
    recording_id: str
    reason: FailureReason
    kept_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Recorder → server, the last word: the recording is published under its final name.

    The manifest is in the folder, unless its status is `failed` and `saved` is false: then nothing could be
    published, and what was captured is where it was.
    """

    TYPE: ClassVar = "finished"
    recording_id: str
    status: Literal["completed", "absent", "failed"]
    reason: str
    duration_s: float
    byte_size: int
    saved: bool = True


RecorderCommand = Note | Finish
RecorderReport = Started | Progress | Failed | Finished

_COMMANDS: Final[dict[str, type[Any]]] = {kind.TYPE: kind for kind in (Note, Finish)}
_REPORTS: Final[dict[str, type[Any]]] = {kind.TYPE: kind for kind in (Started, Progress, Failed, Finished)}


def dump(message: RecorderCommand | RecorderReport) -> bytes:
    """One packet."""
    return json.dumps({"type": message.TYPE, **asdict(message)}, separators=(",", ":")).encode()


def load_command(packet: bytes) -> RecorderCommand:
    """What the server sent. Raises MalformedError."""
    command: RecorderCommand = _load(packet, _COMMANDS)
    return command


def load_report(packet: bytes) -> RecorderReport:
    """What the recorder sent. Raises MalformedError."""
    report: RecorderReport = _load(packet, _REPORTS)
    return report


def dump_config(config: RecorderConfig) -> dict[str, Any]:
    """As the journal's first line and the message that forks a recorder hold it."""
    return asdict(config)


def load_config(value: object) -> RecorderConfig:
    """The reverse of `dump_config`. Raises MalformedError."""
    return build(RecorderConfig, value)


def _load(packet: bytes, kinds: dict[str, type[Any]]) -> Any:
    try:
        value = json.loads(packet)
    except ValueError as error:
        raise MalformedError(f"a message is not JSON: {error}") from None
    kind = value.pop("type", None) if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in kinds:
        raise MalformedError(f"a message is of no known type: {packet[:100]!r}")
    return build(kinds[kind], value)
