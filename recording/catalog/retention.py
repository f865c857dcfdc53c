"""Which recordings are to be deleted. Pure; deleting is the server's.

Decides that age goes first, and that for the total's sake the oldest go until the rest fits.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A finished recording that takes `used_bytes`. One that may not be deleted yet counts but stays."""

    recording_id: str
    ended_at: float
    used_bytes: int
    deletable: bool = True


def to_delete(
    recordings: Iterable[Kept], now: float, *, max_age_s: float | None = None, max_total_bytes: int | None = None
) -> list[str]:
    """The recording_ids, oldest first. None is no limit; `now`: unix seconds."""
    oldest_first = sorted(recordings, key=lambda kept: (kept.ended_at, kept.recording_id))
    total = sum(kept.used_bytes for kept in oldest_first)
    deleted = []
    for kept in oldest_first:
        too_old = max_age_s is not None and now - kept.ended_at > max_age_s
        too_much = max_total_bytes is not None and total > max_total_bytes
        if kept.deletable and (too_old or too_much):
            deleted.append(kept.recording_id)
            total -= kept.used_bytes
    return deleted
