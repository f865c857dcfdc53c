"""How a point in time is written where people and programs read it."""

from datetime import UTC, datetime


def rfc3339_ms(unix_s: float) -> str:
    """Return Unix seconds as RFC 3339 in UTC with milliseconds: `2026-11-22T17:45:00.250Z`."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
