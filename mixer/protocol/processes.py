"""What the server and the zygote, from which mixers are forked, say to each other."""

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from mixer.protocol.reports import Refused
from mixer.protocol.values import VERSION


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


ZygoteReport = ZygoteReady | MixerForked | Refused | MixerExited

FORKS: Final[TypeAdapter[ForkMixer]] = TypeAdapter(ForkMixer)
ZYGOTE_REPORTS: Final[TypeAdapter[ZygoteReport]] = TypeAdapter(Annotated[ZygoteReport, Field(discriminator="type")])
