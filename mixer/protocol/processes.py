"""What the server and the zygote, from which mixers and recorders are forked, say to each other."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from mixer.protocol.reports import Refused
from mixer.protocol.values import VERSION, NoiseSuppression

Scheduling = Literal["auto", "normal", "realtime"]


@dataclass(frozen=True, slots=True)
class MixerConfig:
    """What a mixer is told at birth."""

    name: str
    """For its process title and log lines: the conference id, or `lobby`."""
    opus_bitrate: int = 64_000
    opus_complexity: int | None = None
    """How much work goes into a stream, 0 to 10; None: 5 where few are encoded, else 0."""
    skip_silent: bool = True
    """Opus legs that are muted are not decoded, nor in larger conferences those that say they are silent."""
    skip_silent_above: int = 8
    """A conference is larger with more Opus legs than this."""
    loudest: int = 64
    """At most so many Opus legs are decoded and heard at a time, the loudest; 0: all."""
    share_encodes: bool = True
    """Opus legs that hear the same are sent the same packets; else each has an encoder of its own."""
    protect_lossy: bool = True
    """Opus legs whose far ends report that packets get lost are sent packets with FEC."""
    compiled: bool = True
    """Loops that were compiled ahead are used, if there are any."""
    auto_gain: bool = False
    """Voices are brought to one level."""
    noise_suppression: NoiseSuppression = "off"
    """How much steady noise is taken out of voices."""
    scheduling: Scheduling = "normal"
    """`realtime`: where it is allowed; `auto`: where it is harmless, too. The mixer logs what is in force."""
    cores: tuple[int, ...] = ()
    """The processors it may run on; empty: all that the server may."""
    lock_memory: bool = False
    """What it has in memory stays there, where that is allowed."""


@dataclass(frozen=True, slots=True)
class ForkMixer:
    """Server → zygote. Two descriptors: the mixer's end of its control socket, and a file for its stack dump."""

    request_id: int
    config: MixerConfig
    type: Literal["fork_mixer"] = "fork_mixer"


@dataclass(frozen=True, slots=True)
class ForkRecorder:
    """Server → zygote. Three descriptors: the recorder's end of its control socket, a file for its stack dump, a feed.

    Unlike a mixer, a recorder outlives server and zygote until it has published what it has.
    """

    request_id: int
    recording_id: str
    """For its process title."""
    config: dict[str, Any]
    """What it is told at birth: a `RecorderConfig` of `recording.catalog`, which the zygote only passes on."""
    type: Literal["fork_recorder"] = "fork_recorder"


@dataclass(frozen=True, slots=True)
class ZygoteReady:
    """Zygote → server, once: everything is preloaded, forks are quick from now on."""

    pid: int
    version: int = VERSION
    type: Literal["zygote_ready"] = "zygote_ready"


@dataclass(frozen=True, slots=True)
class MixerForked:
    """Zygote → server, with a pidfd of the mixer or recorder, so that no signal ever hits another process by its
    number.

    A fork that was not possible is answered by `Refused`.
    """

    request_id: int
    pid: int
    type: Literal["mixer_forked"] = "mixer_forked"


@dataclass(frozen=True, slots=True)
class MixerExited:
    """Zygote → server: a mixer or recorder ended; `status` is the exit code, or minus the signal number."""

    pid: int
    status: int
    type: Literal["mixer_exited"] = "mixer_exited"


ZygoteReport = ZygoteReady | MixerForked | Refused | MixerExited

Fork = ForkMixer | ForkRecorder

FORKS: Final[TypeAdapter[Fork]] = TypeAdapter(Annotated[Fork, Field(discriminator="type")])
ZYGOTE_REPORTS: Final[TypeAdapter[ZygoteReport]] = TypeAdapter(Annotated[ZygoteReport, Field(discriminator="type")])
