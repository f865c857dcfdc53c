"""What a conference can be asked to do, and what a mixer may report to it. Ids come in; none is made here.

Defaults are those of the API. Fields that are None in `Update` stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from server.conference.model import EndReason, LeftReason

HangUpReason = Literal[LeftReason.HUNG_UP, LeftReason.MEDIA_TIMEOUT, LeftReason.ADD_FAILED]
ForcedEndReason = Literal[EndReason.VIA_API, EndReason.SERVER_RESTARTED, EndReason.SERVER_STOPPED, EndReason.MIXER_DIED]


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


@dataclass(frozen=True, slots=True)
class Leave:
    """Take a call out of the conference; the call itself goes on."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Kick:
    """Throw a participant out; its call is hung up too."""

    call_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over: hung up over the API or by an RTCP BYE, or given up by the server for `reason`."""

    call_id: str
    reason: HangUpReason = LeftReason.HUNG_UP


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


@dataclass(frozen=True, slots=True)
class End:
    """End the conference for all."""

    reason: ForcedEndReason = EndReason.VIA_API


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


Report = MediaConnected | MediaLost | Digit
Command = Join | Leave | Kick | HangUp | Update | End | Report
