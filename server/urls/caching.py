"""How long a fetched thing may be kept, and how to ask whether it is still good.

Decides what ETag, Last-Modified, Cache-Control, Age and Retry-After of a response mean to us (RFC 9110, 9111). Headers
come as any mapping with case-insensitive names, time as an argument. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_LONGEST_VALIDATOR: Final = 1024
_LONGEST_S: Final = 1 << 31
"""RFC 9111 section 1.2.2: what overflows counts as this."""
_DIRECTIVE: Final = re.compile(r'([!#$%&\'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]*))?', re.ASCII)
_DELTA: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server calls the version it sent (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], previous: "Validators | None" = None) -> "Validators":
        """Return the validators of a response; a 304 that leaves one out keeps the `previous` one."""
        kept = previous or cls()
        return cls(
            _usable(headers.get("etag")) or kept.etag,
            _usable(headers.get("last-modified")) or kept.last_modified,
        )

    def conditions(self) -> dict[str, str]:
        """Return request headers that make the server answer 304 if nothing changed."""
        headers = {}
        if self.etag:
            headers["If-None-Match"] = self.etag
        if self.last_modified:
            headers["If-Modified-Since"] = self.last_modified
        return headers


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a response says about being kept."""

    storable: bool = True
    """False: not to be kept at all (`no-store`)."""
    fresh_s: float | None = None
    """Seconds from now on for which it need not be asked for again; None: nothing was said."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Freshness":
        """Read Cache-Control and Age; what cannot be read counts as stale (RFC 9111 section 4.2.1)."""
        directives = _directives(headers.get("cache-control", ""))
        if "no-store" in directives:
            return cls(storable=False, fresh_s=0)
        if "no-cache" in directives:
            return cls(fresh_s=0)
        if "max-age" not in directives:
            return cls()
        age_s = _delta_s(headers.get("age", "0")) or 0
        return cls(fresh_s=max(0, (_delta_s(directives["max-age"]) or 0) - age_s))


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return in how many seconds a server wants to be asked again, from `now` in Unix seconds; None: it does not say.

    The value is as large as the server likes, so whoever waits has to set a limit.
    """
    value = headers.get("retry-after", "").strip()
    if _DELTA.fullmatch(value):
        return _delta_s(value)
    try:
        date = parsedate_to_datetime(value)
        # HTTP dates are always GMT; without a zone Python would take it for local time.
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _usable(value: str | None) -> str | None:
    """Return a validator that can be sent back as it came, else None."""
    if value is None or len(value) > _LONGEST_VALIDATOR or not (value.isascii() and value.isprintable()):
        return None
    return value.strip() or None


def _directives(header: str) -> dict[str, str]:
    """Return Cache-Control's directives in lower case; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for name, value in _DIRECTIVE.findall(header):
        found.setdefault(name.lower(), value.strip('"'))
    return found


def _delta_s(text: str) -> int | None:
    """Return delta-seconds (RFC 9111 section 1.2.2), None if it is no such number."""
    text = text.strip()
    if not _DELTA.fullmatch(text):
        return None
    return min(int(text), _LONGEST_S) if len(text) <= 10 else _LONGEST_S
