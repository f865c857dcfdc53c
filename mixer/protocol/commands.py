"""What the server tells a mixer to do."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from mixer.protocol.values import USUAL_PLAYOUT, Address, MediaFormat, OutgoingStream, Playout

MOST_ASKED: Final = 25
"""Legs whose figures can be had at once: they are made between two ticks."""


@dataclass(frozen=True, slots=True)
class LendSocket:
    """Lend a bound UDP socket; its descriptor comes with the message. The server keeps its own copy."""

    request_id: int
    socket_id: int
    shared: bool
    """True: many legs, told apart by source address. False: one leg; connected already if its address is known."""
    type: Literal["lend_socket"] = "lend_socket"


@dataclass(frozen=True, slots=True)
class ReturnSocket:
    """Close the mixer's copy of a lent socket. Legs still on it are a `Refused`."""

    request_id: int
    socket_id: int
    type: Literal["return_socket"] = "return_socket"


@dataclass(frozen=True, slots=True)
class AddLeg:
    """Give a call a row. It is sent packets from the next tick on."""

    request_id: int
    call_id: str
    socket_id: int
    remote: Address | None
    """Exact address of the far end; None: learn it (4 packets in sequence over at least 22 ms, one source)."""
    format: MediaFormat
    outgoing: OutgoingStream
    receives: bool = True
    """The far end sends media to us."""
    sends: bool = True
    """We send media to the far end."""
    heard: bool = True
    """Others hear this leg."""
    hears: bool = True
    """This leg hears the mix; otherwise it is sent silence."""
    gain: float = 1.0
    """Linear, applied to what the leg says before it is mixed."""
    heard_by: list[str] | None = None
    """See `LegPart`."""
    level_extension_id: int | None = None
    """Id (1..14) of the RFC 6464 audio level header extension, if the far end sends it."""
    playout: Playout = USUAL_PLAYOUT
    ssrc: int | None = None
    """If given, packets with another SSRC are not the leg's."""
    media_timeout_ms: int = 60_000
    """Report `LegTimedOut` after this long without RTP and RTCP; 0: never."""
    type: Literal["add_leg"] = "add_leg"


@dataclass(frozen=True, slots=True)
class LegPart:
    """How a leg takes part in the mix, all of it."""

    call_id: str
    heard: bool
    hears: bool
    """True also ends what the leg was played instead."""
    gain: float = 1.0
    heard_by: list[str] | None = None
    """The calls that hear this leg, instead of everybody; they hear it beside the mix. An empty list: nobody."""


@dataclass(frozen=True, slots=True)
class UpdateLegs:
    """Change who hears whom, for all these legs on one tick, the next. An unknown leg: `Refused`, and none changes."""

    request_id: int
    legs: list[LegPart]
    type: Literal["update_legs"] = "update_legs"


@dataclass(frozen=True, slots=True)
class LendClip:
    """Lend PCM to be played: a sealed memfd of mono int16, this machine's byte order, comes with the message.

    A clip is lent once for each rate that is needed; at what rate a leg hears follows from its format.
    """

    request_id: int
    clip_id: str
    sample_rate: int
    samples: int
    type: Literal["lend_clip"] = "lend_clip"


@dataclass(frozen=True, slots=True)
class ReturnClip:
    """Forget a clip at all its rates. What is playing of it ends."""

    request_id: int
    clip_id: str
    type: Literal["return_clip"] = "return_clip"


@dataclass(frozen=True, slots=True)
class PlayProgram:
    """What a leg that does not hear the mix is sent, from the clip's start. `Refused` if it is not lent at its rate."""

    request_id: int
    call_id: str
    clip_id: str | None
    """None: silence."""
    loop: bool = False
    type: Literal["play_program"] = "play_program"


@dataclass(frozen=True, slots=True)
class PlayClip:
    """Play a clip once, beside the mix (a beep, an announcement); `ClipEnded` tells when it is over.

    It must be lent at the rates of all legs that are to hear it; a leg at another rate does not.
    """

    request_id: int
    play_id: str
    clip_id: str
    to: Literal["mix", "everyone", "call"] = "mix"
    """`mix`: who hears the mix. `everyone`: also who waits, instead of what is played there. `call`: one leg."""
    call_id: str | None = None
    """The leg, for `call`."""
    except_call_id: str | None = None
    """A leg that is not to hear it."""
    duck: bool = False
    """Turn speech down while it plays."""
    type: Literal["play_clip"] = "play_clip"


@dataclass(frozen=True, slots=True)
class StopClip:
    """End a `PlayClip` early; one that is over already is no error."""

    request_id: int
    play_id: str
    type: Literal["stop_clip"] = "stop_clip"


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Write the conference's sound into a feed from the next tick on; the feed's descriptor comes with the message.

    A mixer makes one recording at a time; another is `Refused`. One that another mixer began goes on in its feed.
    """

    request_id: int
    recording_id: str
    tracks: bool = False
    """Also write what each leg says, apart."""
    type: Literal["start_recording"] = "start_recording"


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """Write nothing from the next tick on. `Refused` if it is paused already."""

    request_id: int
    recording_id: str
    behavior: Literal["silence", "skip"] = "silence"
    """Whether the pause lasts in the recording as long as it did, or takes no time there."""
    type: Literal["pause_recording"] = "pause_recording"


@dataclass(frozen=True, slots=True)
class ResumeRecording:
    """Go on after a pause. `Refused` if it is not paused."""

    request_id: int
    recording_id: str
    type: Literal["resume_recording"] = "resume_recording"


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the feed; the last tick is in it when this is answered."""

    request_id: int
    recording_id: str
    type: Literal["stop_recording"] = "stop_recording"


@dataclass(frozen=True, slots=True)
class RemoveLeg:
    """Take a call's row away; answered by `LegRemoved`."""

    request_id: int
    call_id: str
    bye: bool = False
    """Send an RTCP BYE: the call is over, not moving."""
    type: Literal["remove_leg"] = "remove_leg"


@dataclass(frozen=True, slots=True)
class GetStats:
    """Ask for figures; answered by `Stats` in parts, so that a large conference never delays a tick."""

    request_id: int
    call_ids: list[str] | None = None
    """None: of all legs and the mixer. Else only of those of these legs that are there, at most `MOST_ASKED`, and
    answered at once, in one part."""
    type: Literal["get_stats"] = "get_stats"


@dataclass(frozen=True, slots=True)
class Stop:
    """End what is recorded, send BYE to every leg, answer `Done`, exit 0."""

    request_id: int
    type: Literal["stop"] = "stop"


Command = (
    LendSocket
    | ReturnSocket
    | AddLeg
    | UpdateLegs
    | RemoveLeg
    | LendClip
    | ReturnClip
    | PlayProgram
    | PlayClip
    | StopClip
    | StartRecording
    | PauseRecording
    | ResumeRecording
    | StopRecording
    | GetStats
    | Stop
)

COMMANDS: Final[TypeAdapter[Command]] = TypeAdapter(Annotated[Command, Field(discriminator="type")])
