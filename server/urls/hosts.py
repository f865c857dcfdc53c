"""The host of a URL, read the way it would be dialled.

Decides which address or name a host means. `0x7f.1`, `2130706433` and `017700000001` are all 127.0.0.1 to getaddrinfo,
and so are full-width digits; whoever judges the text instead of what it means is fooled by one of them. Here every
spelling is reduced to one, and only that one is judged, resolved, and sent as `Host`.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import unquote

import idna

from server.urls.addresses import IPAddress, unwrap

LONGEST_HOST: Final = 253
"""Characters of a host name without its last dot (RFC 1035 section 2.3.4)."""

# Underscores are not for host names, but containers are named with them.
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
_LONGEST_ESCAPED: Final = 9 * LONGEST_HOST


def parse_host(text: str) -> tuple[str, IPAddress | None]:
    """Return a host's one spelling and its address, None for a name. IPv6 comes without brackets.

    Raises ValueError with a sentence that says what is wrong.
    """
    if text.startswith("["):
        return _ipv6(text)
    # IDNA is slow on long texts, so length comes first; nine characters of escapes can be one of a name.
    if len(text) > _LONGEST_ESCAPED:
        raise ValueError("the host name is too long")
    name = _ascii(_unescaped(text)).lower().removesuffix(".")
    if not name:
        raise ValueError("the host is missing")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        address = _ipv4(labels)
        return str(address), address
    if len(name) > LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError("the host is not a host name")
    return name, None


def _ipv6(text: str) -> tuple[str, IPAddress]:
    if not text.endswith("]") or "%" in text:
        raise ValueError("the host is not an IPv6 address without a zone")
    try:
        address = unwrap(IPv6Address(text[1:-1]))
    except ValueError:
        raise ValueError("the host is not an IPv6 address") from None
    return str(address), address


def _unescaped(text: str) -> str:
    if "%" not in text:
        return text
    try:
        text = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("the escapes in the host are not UTF-8") from None
    if "%" in text:
        raise ValueError("the host is escaped twice")
    return text


def _ascii(text: str) -> str:
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError("the host is not an internationalised domain name") from None


def _ipv4(labels: list[str]) -> IPv4Address:
    """Read one to four numbers as inet_aton does: decimal, octal or hexadecimal, the last filling what is left."""
    try:
        numbers = [_number(label) for label in labels]
    except ValueError:
        raise ValueError("the host ends in a number, but is not an IPv4 address") from None
    last = numbers.pop()
    width = 4 - len(numbers)
    if width < 1 or last >= 256**width or any(number > 255 for number in numbers):
        raise ValueError("the host is not an IPv4 address")
    for position, number in enumerate(numbers):
        last += number << (24 - 8 * position)
    return IPv4Address(last)


def _number(label: str) -> int:
    if not _NUMBER.fullmatch(label) or len(label) > 20:
        raise ValueError("not a number")
    if label.startswith("0x"):
        return int(label[2:], 16)
    return int(label, 8) if label.startswith("0") else int(label)
