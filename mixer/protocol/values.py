"""What commands and reports are made of."""

from dataclasses import dataclass
from typing import Final, Literal

VERSION: Final = 1
TICK_MS: Final = 20

Codec = Literal["pcmu", "pcma", "g722", "l16", "opus"]
NoiseSuppression = Literal["off", "low", "medium", "high"]


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


USUAL_PLAYOUT: Final = Playout()
