"""What a conference can be asked to do, and what a mixer may report to it. Ids come in; none is made here.

Defaults are those of the API. Fields that are None in `Update` stay as they are, but for URLs, for which None means
the server's own music: those stay as they are if they are `KEEP`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from server.conference.callbacks import Callback, Method
from server.conference.media import CallMedia
from server.conference.model import BeepMode, EndReason, LeftReason
from server.conference.recordings import PauseBehavior, RecordingPlan, RecordingResult

HangUpReason = Literal[LeftReason.HUNG_UP, LeftReason.MEDIA_TIMEOUT, LeftReason.ADD_FAILED]
ForcedEndReason = Literal[EndReason.VIA_API, EndReason.SERVER_RESTARTED, EndReason.SERVER_STOPPED, EndReason.MIXER_DIED]

Media = Mapping[str, CallMedia]
"""What is known, by call id, of the media of those who leave by a command: others may have to go with the one."""


class Keep(Enum):
    """The one value that says: leave it as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Bring a call into the conference, which the first join creates."""

    conference_id: str
    name: str
    project_id: str
    call_id: str
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tag: str | None = None
    muted: bool = False
    start_on_enter: bool = True
    end_on_exit: bool = False
    beep: BeepMode = BeepMode.BOTH
    wait_url: str | None = None
    """What it hears until the conference starts. None: the server's own music; empty: silence."""
    wait_method: Method | None = None
    coach: str | None = None
    """The call to coach."""
    media_connected: bool = False
    """True if packets of the call have come already, or none are expected (it only listens)."""
    min_participants_to_start: int = 1
    """The request's, else the server's default; that of the first join counts."""
    max_participants: int | None = None
    region: str | None = None
    default_region: str | None = None
    """The server's, shown while no join has named one."""
    callback: Callback | None = None
    recording_callback: Callback | None = None
    recording: RecordingPlan | None = None
    """What it wants recorded from the start."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Take a call out of the conference; the call itself goes on."""

    call_id: str
    media: Media = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kick:
    """Throw a participant out; its call is hung up too."""

    call_id: str
    media: Media = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over: hung up over the API or by an RTCP BYE, or given up by the server for `reason`."""

    call_id: str
    reason: HangUpReason = LeftReason.HUNG_UP
    media: Media = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Update:
    """Change how a participant takes part, whatever state it is in, on hold too."""

    call_id: str
    muted: bool | None = None
    hold: bool | None = None
    coach: str | None = None
    """The call to coach from now on; implies `coaching`."""
    coaching: bool | None = None
    end_on_exit: bool | None = None
    gain_db: float | None = None
    """dB applied to what the participant says, within `GAIN_DB_BOUNDS`."""
    beep_on_exit: bool | None = None
    wait_url: str | Keep | None = KEEP
    """What it hears until the conference starts. None: the server's own music; empty: silence."""
    wait_method: Method | None = None
    """Counts beside `wait_url` only."""
    hold_url: str | Keep | None = KEEP
    """What it hears in the hold that goes on, else in the next one. None: the server's own music; empty: silence."""
    hold_method: Method | None = None
    """Counts beside `hold_url` only."""


@dataclass(frozen=True, slots=True)
class End:
    """End the conference for all."""

    reason: ForcedEndReason = EndReason.VIA_API
    media: Media = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announce:
    """Play audio to all, or to one participant, after the announcements of the same target that came before."""

    announcement_id: str
    url: str
    call_id: str | None = None
    """The participant to play it to; None: all."""
    method: Method | None = None


@dataclass(frozen=True, slots=True)
class MediaConnected:
    """The first packet of a call came."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """Nothing came from a call for 5 s; the mixer says so once per loss."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Digit:
    """A call sent an RFC 4733 digit, which has ended."""

    call_id: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A call began or ceased to speak, by the sound of it."""

    call_id: str
    speaking: bool


@dataclass(frozen=True, slots=True)
class AnnouncementPlayed:
    """An announcement was played to its end."""

    announcement_id: str


@dataclass(frozen=True, slots=True)
class AnnouncementUnplayable:
    """An announcement could not be fetched, read or played to its end; it may not have been its turn yet."""

    announcement_id: str
    reason: str
    """A word for programs, like `fetch_failed`."""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Record the conference from now on."""

    plan: RecordingPlan


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """Record nothing until told otherwise."""

    recording_id: str
    behavior: PauseBehavior = PauseBehavior.SILENCE


@dataclass(frozen=True, slots=True)
class ResumeRecording:
    """Go on recording."""

    recording_id: str


@dataclass(frozen=True, slots=True)
class StopRecording:
    """End a recording; the conference goes on."""

    recording_id: str


@dataclass(frozen=True, slots=True)
class MeasureRecording:
    """Keep what came of a recording, to be told together with the conference's end, which is about to come."""

    recording_id: str
    result: RecordingResult


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """A recording's files are done, or will never be."""

    recording_id: str
    result: RecordingResult


Departure = Leave | Kick | HangUp | End
"""What makes participants leave."""
RecordingCommand = StartRecording | PauseRecording | ResumeRecording | StopRecording
Report = MediaConnected | MediaLost | Digit | Speech
AnnouncementReport = AnnouncementPlayed | AnnouncementUnplayable
Command = (
    Join
    | Departure
    | Update
    | Announce
    | RecordingCommand
    | MeasureRecording
    | RecordingFinished
    | Report
    | AnnouncementReport
)
