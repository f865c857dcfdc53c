"""What the value of a setting may be written as, and what is said of one that cannot be used.

Each function takes what was given and returns the setting's value, or raises ValueError with a sentence for whoever
wrote it. Which setting uses which is `settings.py`'s.
"""

import importlib
import os
import re
from ipaddress import AddressValueError, IPv4Address
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from server.conference.names import check_region
from server.conference.refusals import Refusal
from server.urls.allowance import parse_allowance

_CORES_FORM: Final = "write numbers of processors, such as 0-3,6"
_CORES: Final = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")
_FEWEST_VOICES: Final = 8
_NOISE_SUPPRESSOR: Final = "webrtc_noise_gain"
_SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) *(?:([kmgt])?(i)?b)?", re.IGNORECASE)


class PortRange(tuple[int, int]):
    """First and last UDP port for media, both included."""

    __slots__ = ()

    @property
    def first(self) -> int:
        """The lowest port."""
        return self[0]

    @property
    def last(self) -> int:
        """The highest port."""
        return self[1]


def port_range(value: object) -> object:
    """Media ports as text, first-last."""
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not (dash and first.strip().isdigit() and last.strip().isdigit()):
        raise ValueError("write a range of ports, such as 20000-21999")
    return PortRange((int(first), int(last)))


def check_port_range(ports: tuple[int, int]) -> PortRange:
    """A range of unprivileged ports with an even one among them."""
    first, last = ports
    if not 1024 <= first <= last <= 65535:
        raise ValueError("both ports must be 1024 to 65535, the first not above the last")
    if first % 2 and first == last:
        raise ValueError("the range must hold an even port, as RTP ports are even")
    return PortRange(ports)


def media_ip(value: object) -> object:
    """An IPv4 address that can be called back."""
    try:
        address = IPv4Address(str(value))
    except AddressValueError as error:
        raise ValueError("write an IPv4 address, such as 203.0.113.7") from error
    if address.is_unspecified or address.is_multicast:
        raise ValueError("this address cannot be called back; write the one that callers reach this machine by")
    return str(address)


def networks(value: object) -> object:
    """True, false, or networks."""
    if not isinstance(value, (bool, str, list, tuple)):
        raise ValueError("write true, false, or networks such as 10.1.2.0/24")
    allowance = parse_allowance(value if isinstance(value, (bool, str)) else [str(name) for name in value])
    return tuple(map(str, allowance.networks)) or allowance.everything


def schedule(value: object) -> object:
    """Seconds, at least one number of them."""
    parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, (int, float)) else value
    if not isinstance(parts, (list, tuple)):
        raise ValueError("write seconds separated by commas, such as 5,30,120")
    try:
        seconds = tuple(float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise ValueError("write seconds separated by commas, such as 5,30,120") from error
    if not seconds or min(seconds) < 0:
        raise ValueError("write at least one number of seconds, none below 0")
    return seconds


def database_url(value: SecretStr) -> SecretStr:
    """The URL of a database the journal can be kept in."""
    # Only here, as most commands need no database, and its library takes long to load.
    from server.journal.database import parse_url
    from server.journal.errors import JournalUnavailable

    try:
        parse_url(value.get_secret_value())
    except JournalUnavailable as error:
        raise ValueError(str(error)) from None
    return value


def public_url(value: str) -> str:
    """An http or https address without query and fragment, and without a slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write the address by which others reach the API, such as https://parley.example.org")
    return value.rstrip("/")


def size(value: object) -> object:
    """Bytes, as a number or as text with a unit."""
    if not isinstance(value, str):
        return value
    matched = _SIZE.fullmatch(value.strip())
    if matched is None:
        raise ValueError("write a number of bytes, such as 50000000000, 50GB or 50GiB")
    number, prefix, binary = matched.groups()
    return round(float(number) * (1024 if binary else 1000) ** (" kmgt".index(prefix.lower()) if prefix else 0))


def storage_url(value: str) -> str:
    """The address of a folder in a kind of storage that can be used here."""
    parts = urlsplit(value)
    if not parts.scheme or "::" in value or parts.query or parts.fragment:
        raise ValueError("write the address of a folder, such as s3://bucket/recordings or file:///mnt/recordings")
    if parts.scheme in {"http", "https"}:
        raise ValueError("nothing can be kept at an http address; write one such as s3://bucket/recordings")
    if parts.password is not None:
        raise ValueError("give credentials in the environment of the storage, such as AWS_ACCESS_KEY_ID, not in here")
    import fsspec  # a fifth of a second that only this setting costs

    try:
        fsspec.get_filesystem_class(parts.scheme)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{parts.scheme}:// cannot be used here: {error}") from error
    return value.rstrip("/")


def noise_suppression(value: str) -> str:
    """Off, or a level if the package that does it is there: a mixer that cannot do it should not be what tells."""
    if value != "off":
        try:
            importlib.import_module(_NOISE_SUPPRESSOR)
        except ImportError as error:
            raise ValueError(
                f"noise suppression needs a package that cannot be used here ({error}): "
                'run pip install "parley[denoise]", or set this to off'
            ) from error
    return value


def region(value: str) -> str:
    """A region's name, by the rules that hold for joins."""
    try:
        check_region(value)
    except Refusal as refusal:
        raise ValueError(refusal.detail.partition(": ")[2]) from refusal
    return value


def loudest(value: int) -> int:
    """A number of voices of which some can be given up to try others."""
    if value != 0 and value < _FEWEST_VOICES:
        raise ValueError(f"write a number of voices, {_FEWEST_VOICES} or more, or 0 for all")
    return value


def cores(value: object) -> object:
    """Processors that this process may run on, ascending: `0-3,6`, or a list of numbers."""
    if isinstance(value, str):
        value = value.split(",") if value.strip() else []
    if not isinstance(value, (list, tuple)):
        raise ValueError(_CORES_FORM)
    usable = os.sched_getaffinity(0)
    wanted: set[int] = set()
    for part in value:
        matched = _CORES.fullmatch(str(part).strip())
        if matched is None:
            raise ValueError(_CORES_FORM)
        first, last = int(matched[1]), int(matched[2] or matched[1])
        here = set(range(first, last + 1))
        if not here or not here <= usable:
            raise ValueError(f"{part} is not among the processors that the server may use: {_listed(usable)}")
        wanted |= here
    return tuple(sorted(wanted))


def _listed(numbers: set[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
