"""Media negotiation for `{"rtp": ...}`: what the caller offers becomes what the mixer needs, and the answer.

Payload types follow RFC 3551 (static ones) and RFC 5761 section 4 (64 to 95 would look like RTCP on a shared port).
Which addresses are acceptable is `addresses`' affair; SDP comes in a later version and is refused here.
"""

from typing import Final, Literal

from mixer.protocol import Codec, MediaFormat, Playout
from server.calls.addresses import check_remote
from server.calls.model import RtpMedia
from server.errors import ParleyError, invalid

Direction = Literal["sendrecv", "sendonly", "recvonly"]
JitterBuffer = Literal["off", "small", "medium", "large", "adaptive"]

PTIME_MS: Final = 20
SAMPLE_RATES: Final[dict[Codec, int]] = {"pcmu": 8000, "pcma": 8000, "g722": 16000, "l16": 16000, "opus": 48000}
PAYLOAD_TYPES: Final[dict[Codec, int]] = {"pcmu": 0, "pcma": 8, "g722": 9, "l16": 96, "opus": 111}
L16_RATES: Final = (8000, 16000, 24000, 48000)
_STATIC: Final = {PAYLOAD_TYPES[codec]: codec for codec in ("pcmu", "pcma", "g722")}

PLAYOUTS: Final[dict[JitterBuffer, Playout]] = {
    "off": Playout(margin_ms=0, max_ms=20),
    "small": Playout(margin_ms=10, max_ms=40),
    "medium": Playout(margin_ms=20, max_ms=120),
    "large": Playout(margin_ms=60, max_ms=300),
    "adaptive": Playout(),
}
"""Bounds of the jitter buffer by the name a join gives; even `off` bridges a tick, as arrivals do not keep step."""

_FIELD: Final = "media.rtp"


def rtp_media(
    *,
    codec: Codec,
    ip: str | None = None,
    port: int | None = None,
    payload_type: int | None = None,
    sample_rate: int | None = None,
    dtmf_payload_type: int | None = None,
    ssrc: int | None = None,
    direction: Direction = "sendrecv",
    level_extension_id: int | None = None,
) -> RtpMedia:
    """Return the media of a call; raise `ParleyError` naming the field that is wrong.

    `direction` is the caller's view: `sendonly` means that only the caller sends.
    """
    if (ip is None) != (port is None):
        missing, other = ("port", "ip") if port is None else ("ip", "port")
        raise invalid(f"{_FIELD}.{missing}", f"missing; give it with `{other}`, or neither to have the address learnt")
    remote = check_remote(ip, port, _FIELD) if ip is not None and port is not None else None
    if remote is None and direction == "recvonly":
        raise invalid(f"{_FIELD}.ip", "needed with direction recvonly, as there is nothing to learn the address from")
    chosen = PAYLOAD_TYPES[codec] if payload_type is None else _payload_type(payload_type, "payload_type")
    if _STATIC.get(chosen, codec) != codec:
        raise invalid(f"{_FIELD}.payload_type", f"{chosen} always means {_STATIC[chosen]} (RFC 3551), not {codec}")
    if dtmf_payload_type is not None:
        _payload_type(dtmf_payload_type, "dtmf_payload_type")
        if dtmf_payload_type == chosen or dtmf_payload_type in _STATIC:
            raise invalid(f"{_FIELD}.dtmf_payload_type", f"{dtmf_payload_type} already means audio")
    return RtpMedia(
        format=MediaFormat(codec, chosen, _sample_rate(codec, sample_rate), dtmf_payload_type),
        remote=remote,
        receives=direction != "recvonly",
        sends=direction != "sendonly",
        ssrc=ssrc,
        level_extension_id=level_extension_id,
    )


def refuse_sdp() -> ParleyError:
    """Return the refusal of an SDP offer, which this version cannot answer."""
    return ParleyError(
        "not_supported_yet",
        "media.sdp: this version takes no SDP offers; describe the media as {'rtp': ...}",
        fields=(("media.sdp", "not supported yet"),),
    )


def _payload_type(value: int, name: str) -> int:
    if not 0 <= value <= 127:
        raise invalid(f"{_FIELD}.{name}", f"{value} is not a payload type; write 0 to 127")
    if 64 <= value <= 95:
        raise invalid(f"{_FIELD}.{name}", f"{value} looks like RTCP when both share a port (RFC 5761 section 4)")
    return value


def _sample_rate(codec: Codec, wanted: int | None) -> int:
    if wanted is None or wanted == SAMPLE_RATES[codec]:
        return SAMPLE_RATES[codec]
    if codec != "l16":
        raise invalid(f"{_FIELD}.sample_rate", f"{codec} always has {SAMPLE_RATES[codec]} Hz; only l16 has a choice")
    if wanted not in L16_RATES:
        raise invalid(f"{_FIELD}.sample_rate", f"{wanted} is not one of {', '.join(map(str, L16_RATES))}")
    return wanted
