"""The contract between the server and its mixer processes: commands go in, reports come out.

This is the only file of `mixer` that `server` imports. Every message is one packet on a Unix `SOCK_SEQPACKET`
socket: a JSON object whose `type` names the dataclass, with file descriptors beside it (SCM_RIGHTS) where a
docstring says so. A command carries a `request_id` chosen by the server; the mixer answers each command with
exactly one report bearing the same id: `Done`, `Refused`, `LegRemoved`, or a run of `Stats` of which one has
`last`. Reports with no `request_id` are the mixer's own news.

Times named `_ns` are CLOCK_MONOTONIC, which all processes of one machine share.
"""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

VERSION: Final = 1
TICK_MS: Final = 20

Codec = Literal["pcmu", "pcma", "g722", "l16", "opus"]


@dataclass(frozen=True, slots=True)
class Address:
    """An IPv4 address and UDP port."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """What one call sends and is sent on the wire."""

    codec: Codec
    payload_type: int
    sample_rate: int
    """Hz of the PCM behind the codec: 8000 for G.711, 16000 for G.722, 48000 for Opus, as agreed for L16."""
    dtmf_payload_type: int | None = None
    """RFC 4733 telephone-event, if the call sends digits that way."""


@dataclass(frozen=True, slots=True)
class OutgoingStream:
    """Where a call's outgoing RTP stream stands, so that the next mixer continues it without a seam."""

    ssrc: int
    sequence: int
    """Sequence number of the next packet."""
    timestamp: int
    """RTP timestamp of the next packet."""
    at_ns: int = 0
    """When that packet is due; 0 if none was ever sent. A later start moves the timestamp on by the time between."""


@dataclass(frozen=True, slots=True)
class Playout:
    """Bounds of a leg's jitter buffer."""

    margin_ms: int = 10
    """How long before its turn a packet should be there: the least wait the buffer aims at."""
    max_ms: int = 300
    """The longest wait it grows to when packets come late; later ones are dropped."""


# ---- commands: server → mixer ----------------------------------------------------------------------------


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
    playout: Playout = Playout()
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
    type: Literal["get_stats"] = "get_stats"


@dataclass(frozen=True, slots=True)
class Stop:
    """Send BYE to every leg, answer `Done`, exit 0."""

    request_id: int
    type: Literal["stop"] = "stop"


# ---- reports: mixer → server -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The first report: the mixer takes commands."""

    pid: int
    version: int = VERSION
    type: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sent every second, also by a mixer that has nothing to mix. Counters grow from 0 at the mixer's start."""

    legs: int
    ticks: int
    late_ticks: int
    """Ticks whose packets went out more than one tick after they were due."""
    packets_in: int
    packets_out: int
    dropped: dict[str, int]
    """Datagrams thrown away, by reason."""
    cpu_s: float
    type: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, slots=True)
class Done:
    """The command was carried out."""

    request_id: int
    type: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Refused:
    """The command was not carried out and changed nothing."""

    request_id: int
    reason: str
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class LegRemoved:
    """A leg is gone; `outgoing` and `remote` are what the next mixer needs to go on with the call."""

    request_id: int
    call_id: str
    outgoing: OutgoingStream
    remote: Address | None
    type: Literal["leg_removed"] = "leg_removed"


@dataclass(frozen=True, slots=True)
class LegConnected:
    """The first valid packet came (after learning, if the address had to be learnt)."""

    call_id: str
    remote: Address
    type: Literal["leg_connected"] = "leg_connected"


@dataclass(frozen=True, slots=True)
class LegLost:
    """No RTP from the leg for 5 s. Said once per loss."""

    call_id: str
    type: Literal["leg_lost"] = "leg_lost"


@dataclass(frozen=True, slots=True)
class LegTimedOut:
    """No RTP and no RTCP from the leg for its `media_timeout_ms`. Said once; the server hangs up."""

    call_id: str
    type: Literal["leg_timed_out"] = "leg_timed_out"


@dataclass(frozen=True, slots=True)
class LegBye:
    """The far end sent an RTCP BYE for its stream."""

    call_id: str
    type: Literal["leg_bye"] = "leg_bye"


@dataclass(frozen=True, slots=True)
class Dtmf:
    """An RFC 4733 digit ended."""

    call_id: str
    digit: str
    duration_ms: int
    type: Literal["dtmf"] = "dtmf"


@dataclass(frozen=True, slots=True)
class ProgramEnded:
    """A clip given by `PlayProgram` without `loop` was played to its end; the leg is sent silence."""

    call_id: str
    clip_id: str
    type: Literal["program_ended"] = "program_ended"


@dataclass(frozen=True, slots=True)
class ClipEnded:
    """A `PlayClip` is over: played to its end, stopped, or its leg is gone."""

    play_id: str
    type: Literal["clip_ended"] = "clip_ended"


@dataclass(frozen=True, slots=True)
class SpeechChanged:
    """A leg began or ceased to speak."""

    call_id: str
    speaking: bool
    type: Literal["speech_changed"] = "speech_changed"


@dataclass(frozen=True, slots=True)
class Levels:
    """Who is loud, five times a second while anybody speaks. Lossy: dropped when the server is slow to read."""

    active: str | None
    """The active speaker: the loudest of those who speak, kept for a while."""
    calls: dict[str, float]
    """dBov of those who speak, at most 16."""
    type: Literal["levels"] = "levels"


@dataclass(frozen=True, slots=True)
class LegStats:
    """One call's figures since its leg was added."""

    call_id: str
    packets_in: int
    packets_out: int
    lost: int
    late: int
    duplicates: int
    concealed: int
    jitter_ms: float
    buffer_ms: float
    added_delay_ms: float
    level_dbov: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of a figure over the last minute."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class MixerStats:
    """The mixer's own figures."""

    ticks: int
    late_ticks: int
    lateness_ms: Spread
    work_ms: Spread
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Stats:
    """A part of the answer to `GetStats`."""

    request_id: int
    calls: list[LegStats]
    last: bool
    mixer: MixerStats | None = None
    """In the last part only."""
    type: Literal["stats"] = "stats"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the server's log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    fields: dict[str, str | int | float | bool | None]
    type: Literal["log"] = "log"


# ---- zygote: the process mixers are forked from ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MixerConfig:
    """What a mixer is told at birth."""

    name: str
    """For its process title and log lines: the conference id, or `lobby`."""
    opus_bitrate: int = 64_000
    opus_complexity: int = 0
    skip_silent_above: int = 8
    """With more Opus legs than this, legs that say they are silent are not decoded."""


@dataclass(frozen=True, slots=True)
class ForkMixer:
    """Server → zygote. Two descriptors: the mixer's end of its control socket, and a file for its stack dump."""

    request_id: int
    config: MixerConfig
    type: Literal["fork_mixer"] = "fork_mixer"


@dataclass(frozen=True, slots=True)
class ZygoteReady:
    """Zygote → server, once: everything is preloaded, forks are quick from now on."""

    pid: int
    version: int = VERSION
    type: Literal["zygote_ready"] = "zygote_ready"


@dataclass(frozen=True, slots=True)
class MixerForked:
    """Zygote → server, with a pidfd of the mixer, so that no signal ever hits another process by its number.

    A fork that was not possible is answered by `Refused`.
    """

    request_id: int
    pid: int
    type: Literal["mixer_forked"] = "mixer_forked"


@dataclass(frozen=True, slots=True)
class MixerExited:
    """Zygote → server: a mixer process ended; `status` is the exit code, or minus the signal number."""

    pid: int
    status: int
    type: Literal["mixer_exited"] = "mixer_exited"


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
    | GetStats
    | Stop
)
Report = (
    Ready
    | Heartbeat
    | Done
    | Refused
    | LegRemoved
    | LegConnected
    | LegLost
    | LegTimedOut
    | LegBye
    | Dtmf
    | ProgramEnded
    | ClipEnded
    | SpeechChanged
    | Levels
    | Stats
    | LogLine
)
ZygoteReport = ZygoteReady | MixerForked | Refused | MixerExited

COMMANDS: Final[TypeAdapter[Command]] = TypeAdapter(Annotated[Command, Field(discriminator="type")])
REPORTS: Final[TypeAdapter[Report]] = TypeAdapter(Annotated[Report, Field(discriminator="type")])
FORKS: Final[TypeAdapter[ForkMixer]] = TypeAdapter(ForkMixer)
ZYGOTE_REPORTS: Final[TypeAdapter[ZygoteReport]] = TypeAdapter(Annotated[ZygoteReport, Field(discriminator="type")])
