"""How long recordings stay on this machine: until they are too old, or until the newer ones need their place.

Decides when to look, and that no recording goes that is not done, or whose second copy is not known to be whole where
there is to be one. Which of the others go is decided by `recording.catalog`. With a second copy it is only this
machine's that goes, and the recording stays; without one the recording is deleted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from recording.catalog import Kept, RecordingsFolder, to_delete
from server.journal.errors import JournalUnavailable
from server.recordings.model import RecordingRow
from server.retention import DAY_S

log = structlog.get_logger(__name__)

EVERY_S: Final = 600.0

Sleep = Callable[[float], Awaitable[None]]


class Rows(Protocol):
    """What is needed of the journal."""

    async def finished_recordings(self) -> list[RecordingRow]:
        """Return recordings that are done."""
        ...

    async def mark_deleted(self, recording_id: str, at: float) -> bool:
        """Show a recording no more."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept; 0 is no limit."""

    days: float
    total_bytes: int

    def __bool__(self) -> bool:
        return self.days > 0 or self.total_bytes > 0


@dataclass(frozen=True, slots=True)
class RecordingsRetention:
    """Removes from `folder` what is beyond the limits."""

    rows: Rows
    folder: RecordingsFolder
    limits: Limits
    copied: bool
    """Whether there is to be a second copy of each recording."""
    now: Callable[[], float]
    """Unix seconds."""
    sleep: Sleep = asyncio.sleep

    async def run(self) -> None:
        """Look every ten minutes, the first time at once, until cancelled. Returns at once without limits."""
        while self.limits:
            await self.look_if_possible()
            await self.sleep(EVERY_S)

    async def look_if_possible(self) -> None:
        """Look; what cannot be done now is done at another time."""
        try:
            await self.look()
        except (JournalUnavailable, OSError) as error:
            log.warning("recordings_not_pruned", reason=str(error))

    async def look(self) -> None:
        """Remove what is beyond the limits now."""
        rows = {row.recording_id: row for row in await self.rows.finished_recordings()}
        kept = await asyncio.to_thread(self._measure, rows)
        chosen = to_delete(
            kept,
            self.now(),
            max_age_s=self.limits.days * DAY_S if self.limits.days > 0 else None,
            max_total_bytes=self.limits.total_bytes if self.limits.total_bytes > 0 else None,
        )
        for recording_id in chosen:
            # Marked first: one that is half removed when the power goes is shown to nobody.
            if not self.copied and not await self.rows.mark_deleted(recording_id, self.now()):
                continue
            await asyncio.to_thread(_remove, self.folder, recording_id)
            log.info("recording_pruned", recording_id=recording_id, copied=self.copied)

    def _measure(self, rows: dict[str, RecordingRow]) -> list[Kept]:
        """Return what is in the folder; what still runs, or is not copied, counts but stays."""
        found = []
        for recording_id in self.folder.listed().finished:
            row = rows.get(recording_id)
            try:
                used_bytes = self.folder.used_bytes(recording_id)
            except FileNotFoundError:
                continue
            ended_at = self.now() if row is None or row.stopped_at is None else row.stopped_at
            deletable = row is not None and (not self.copied or row.uploaded_at is not None)
            found.append(Kept(recording_id, ended_at, used_bytes, deletable))
        return found


def _remove(folder: RecordingsFolder, recording_id: str) -> None:
    try:
        folder.delete(recording_id)
    except FileNotFoundError:
        return
