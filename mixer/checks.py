"""Whether a command's figures are ones a mixer can work with, so that a wrong one is refused before it is half done."""

import math
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from mixer.protocol import AddLeg, Address

LONGEST_CALL_ID_BYTES: Final = 255
"""It is the CNAME of our RTCP reports (RFC 3550 section 6.5)."""
LARGEST_GAIN: Final = 1000.0
LONGEST_MS: Final = 24 * 3600 * 1000
RTCP_TYPES: Final = range(64, 96)
"""As RTP payload types these would be taken for RTCP (RFC 5761 section 4)."""


def fault_in_leg(command: AddLeg) -> str:
    """Say which field of `command` no leg can have; empty if there is none."""
    form, outgoing, playout = command.format, command.outgoing, command.playout
    sound = {
        "call_id": 0 < len(command.call_id.encode()) <= LONGEST_CALL_ID_BYTES,
        "remote": command.remote is None or is_address(command.remote),
        "payload_type": is_payload_type(form.payload_type),
        "dtmf_payload_type": form.dtmf_payload_type is None
        or (is_payload_type(form.dtmf_payload_type) and form.dtmf_payload_type != form.payload_type),
        "outgoing": 0 <= outgoing.ssrc < 1 << 32
        and 0 <= outgoing.sequence < 1 << 16
        and 0 <= outgoing.timestamp < 1 << 32
        and 0 <= outgoing.at_ns < 1 << 63,
        "gain": is_gain(command.gain),
        "playout": 0 <= playout.margin_ms <= LONGEST_MS and 0 <= playout.max_ms <= LONGEST_MS,
        "ssrc": command.ssrc is None or 0 <= command.ssrc < 1 << 32,
        "level_extension_id": command.level_extension_id is None or 1 <= command.level_extension_id <= 14,
        "media_timeout_ms": 0 <= command.media_timeout_ms <= LONGEST_MS,
    }
    return next((f"bad {name}" for name, fits in sound.items() if not fits), "")


def is_gain(gain: float) -> bool:
    """A linear gain that leaves sums finite."""
    return math.isfinite(gain) and 0 <= gain <= LARGEST_GAIN


def is_payload_type(number: int) -> bool:
    """One that tells RTP from RTCP on the same port."""
    return 0 <= number < 128 and number not in RTCP_TYPES


def is_address(address: Address) -> bool:
    """An IPv4 address and a port that can be sent to."""
    try:
        IPv4Address(address.ip)
    except AddressValueError:
        return False
    return 0 < address.port < 1 << 16
