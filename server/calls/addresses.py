"""Which addresses a call's media may go to, and which address of ours its answer names.

Only IPv4 for now. Whether the port at the far end belongs to the caller is not decided here: a given address is used
exactly, and what comes from elsewhere is dropped by the mixer.
"""

import socket
from ipaddress import AddressValueError, IPv4Address
from typing import Final

from mixer.protocol import Address
from server.errors import ParleyError, invalid

LOOPBACK: Final = "127.0.0.1"
_ANYWHERE: Final = "192.0.2.1"
"""A documentation address (RFC 5737): the route to it is the default route; nothing is ever sent there."""


def check_remote(ip: str, port: int, field: str) -> Address:
    """Return the far end's address; raise `ParleyError` if no call can be there."""
    try:
        address = IPv4Address(ip)
    except AddressValueError as error:
        raise invalid(f"{field}.ip", f"{ip!r} is not an IPv4 address") from error
    if address.is_unspecified or ip.startswith("0."):
        raise invalid(f"{field}.ip", f"{ip} names no host")
    if address.is_multicast:
        raise invalid(f"{field}.ip", f"{ip} is a multicast address")
    if address.is_reserved:
        # 240.0.0.0/4, with the limited broadcast address at its end (RFC 1112 section 4, RFC 919 section 7).
        raise invalid(f"{field}.ip", f"{ip} is a broadcast or reserved address")
    if not 1 <= port <= 65535:
        raise invalid(f"{field}.port", f"{port} is not a port; write 1 to 65535")
    return Address(str(address), port)


def answer_ip(remote: Address | None, media_ip: str | None, *, loopback_media: bool) -> str:
    """Return the address of ours for a media answer; raise `ParleyError` if the far end could not use it."""
    if media_ip is not None:
        return media_ip
    if not loopback_media:
        return facing(remote.ip if remote else _ANYWHERE)
    if remote is not None and not IPv4Address(remote.ip).is_loopback:
        raise ParleyError(
            "media_ip_needed",
            f"In dev mode media stays on {LOOPBACK}, which {remote.ip} cannot reach: "
            "set PARLEY_MEDIA_IP to this machine's address",
            fields=(("media.rtp.ip", "not reachable from a loopback socket"),),
        )
    return LOOPBACK


def facing(ip: str) -> str:
    """Return the local address that packets to `ip` leave from (the kernel's choice; nothing is sent)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((ip, 9))
        except OSError:
            return LOOPBACK
        return str(probe.getsockname()[0])
