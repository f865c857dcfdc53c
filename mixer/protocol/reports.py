"""What a mixer answers, and its own news."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from mixer.protocol.values import VERSION, Address, OutgoingStream


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
    level_dbov: float | None
    """None: the leg's sound was not needed, so nobody knows."""
    accelerated_ms: float = 0.0
    """Media time left out to wait less, of silence or a pitch period at a time."""
    stretched_ms: float = 0.0
    """Sound added to wait longer."""
    far_end_loss: float | None = None
    """The share of our packets that the far end lost, 0 to 1, smoothed over its reports; None: it has sent none."""
    round_trip_ms: float | None = None
    """To the far end and back, by its last report; None: it has told of none of ours."""


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
    """In the last part of the answer about all legs."""
    type: Literal["stats"] = "stats"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line for the server's log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    fields: dict[str, str | int | float | bool | None]
    type: Literal["log"] = "log"


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

REPORTS: Final[TypeAdapter[Report]] = TypeAdapter(Annotated[Report, Field(discriminator="type")])
