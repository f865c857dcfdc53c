"""What the server knows about one call: its media, where it is now, and where its outgoing RTP stream stands.

A call outlives the conferences it is in. Which mixer plays on its socket at a time is the service's affair.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mixer.protocol import Address, MediaFormat, OutgoingStream, Playout
from server.mixers.ports import MediaSocket


class CallState(StrEnum):
    """Where a call is in its life."""

    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class RtpMedia:
    """The media of a call, as both sides agreed on it."""

    format: MediaFormat
    remote: Address | None
    """The far end's exact address; None: it is learnt from what arrives."""
    receives: bool
    """The far end sends to us."""
    sends: bool
    """We send to the far end."""
    ssrc: int | None
    """The far end's SSRC, if it told us."""
    ptime_ms: int = 20
    level_extension_id: int | None = None
    """Id of the far end's audio level header extension (RFC 6464), if it sends one."""


@dataclass(slots=True)
class Call:
    """One party's media connection. Changed by the service only."""

    call_id: str
    project_id: str
    media: RtpMedia
    media_ip: str
    """The address of ours that the far end was told."""
    outgoing: OutgoingStream
    one_request: bool
    """Made and joined in one request: leaving its conference hangs it up."""
    created_at: float
    """Unix seconds."""
    label: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    state: CallState = CallState.ANSWERED
    ended_at: float | None = None
    reason_ended: str | None = None
    conference_id: str | None = None
    conference_name: str | None = None
    media_socket: MediaSocket | None = None
    """The socket its packets use; None once ended. Shared by a conference's legs or the call's own."""
    local_port: int = 0
    remote: Address | None = None
    """Where its packets go now: `media.remote`, or what the mixer learnt."""
    connected: bool = False
    """Packets of it have come."""
    playout: Playout = field(default_factory=Playout)
    outgoing_known_at_ns: int = 0
    """CLOCK_MONOTONIC when `outgoing` was last told by a mixer or a leg was added with it."""
