"""What a server does at its start about recordings that an earlier one left: each is brought to an end that is told.

Decides what is left over, and in which order it is dealt with: recorders that outlived their server are waited for,
what crashes cut off is published, what was deleted by half is removed. Publishing itself is a child's work, telling is
`service_recordings`'.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from recording.catalog import Listed, Manifest, RecordingsFolder
from server.journal.errors import JournalUnavailable
from server.recordings.model import RecordingRow

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0

Sleep = Callable[[float], Awaitable[None]]


class Rows(Protocol):
    """What is needed of the journal."""

    async def recording(self, recording_id: str) -> RecordingRow | None:
        """Return a recording, also one that was deleted."""
        ...

    async def unfinished_recordings(self) -> list[tuple[str, str]]:
        """Return recordings of which nobody knows what came of them, each with its conference."""
        ...

    async def finished_recordings(self) -> list[RecordingRow]:
        """Return recordings that are done."""
        ...

    async def keep_manifest(self, recording_id: str, content: str) -> None:
        """Keep a manifest; a recording that is not known is known then."""
        ...


class Results(Protocol):
    """Who publishes and tells."""

    async def repaired(self, recording_id: str) -> Manifest | None:
        """Publish what a dead recorder left; None if its recorder lives, or it cannot be done now."""
        ...

    async def recovered(self, conference_id: str, recording_id: str, manifest: Manifest | None) -> None:
        """Tell what came of a recording; None: nothing is left."""
        ...


@dataclass(frozen=True, slots=True)
class Recovery:
    """Deals with what is left over."""

    folder: RecordingsFolder
    rows: Rows
    results: Results
    goes_on: Callable[[str], bool]
    """Whether a conference is in progress now: then its recording is being taken care of."""
    sleep: Sleep = asyncio.sleep

    async def run(self) -> None:
        """Return when everything that was left over has come to its end."""
        pending: dict[str, None] | None = None
        pause_s, looked_before = FIRST_PAUSE_S, False
        while True:
            try:
                if pending is None:
                    pending = await self._left_over()
                for recording_id in list(pending):
                    if await self._settle(recording_id, looked_before=looked_before):
                        del pending[recording_id]
            except (JournalUnavailable, OSError) as error:
                log.error("recovery_waits", reason=str(error))
            if pending is not None and not pending:
                return
            looked_before = pending is not None
            await self.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _left_over(self) -> dict[str, None]:
        """Return the recordings to look at: those without an end, and those here of which that is not known."""
        listed = await asyncio.to_thread(self._listed)
        unfinished = dict.fromkeys(recording_id for recording_id, _ in await self.rows.unfinished_recordings())
        done = {row.recording_id for row in await self.rows.finished_recordings()}
        here = [*listed.unfinished, *(recording_id for recording_id in listed.finished if recording_id not in done)]
        return unfinished | dict.fromkeys(here)

    def _listed(self) -> Listed:
        self.folder.clear_deleted()
        return self.folder.listed()

    async def _settle(self, recording_id: str, *, looked_before: bool) -> bool:
        """Bring one to its end; return False if that is still to come."""
        row = await self.rows.recording(recording_id)
        if row is not None and row.deleted_at is not None:
            await asyncio.to_thread(_remove, self.folder, recording_id)
            return True
        if row is not None and (self.goes_on(row.conference_id) or (row.final and row.manifest is not None)):
            return True
        listed = await asyncio.to_thread(self.folder.listed)
        manifest: Manifest | None = None
        if recording_id in listed.unfinished:
            manifest = await self.results.repaired(recording_id)
            if manifest is None:
                return False
        elif recording_id in listed.finished:
            manifest = await asyncio.to_thread(_manifest, self.folder, recording_id)
        elif not looked_before:
            # A recorder that was being started when its server died makes its folder in a moment.
            return False
        await self._tell(recording_id, row, manifest)
        return True

    async def _tell(self, recording_id: str, row: RecordingRow | None, manifest: Manifest | None) -> None:
        if row is not None:
            log.info("recording_recovered", recording_id=recording_id, found=manifest is not None)
            await self.results.recovered(row.conference_id, recording_id, manifest)
        elif manifest is not None:
            # The database was lost, or is an older one, but not the files.
            try:
                await self.rows.keep_manifest(recording_id, manifest.dump().decode())
            except ValueError as error:
                log.error("recording_not_adopted", recording_id=recording_id, reason=str(error))
            else:
                log.info("recording_adopted", recording_id=recording_id, project_id=manifest.project_id)


def _remove(folder: RecordingsFolder, recording_id: str) -> None:
    try:
        folder.delete(recording_id)
    except FileNotFoundError:
        return


def _manifest(folder: RecordingsFolder, recording_id: str) -> Manifest | None:
    try:
        return folder.manifest(recording_id)
    except (OSError, ValueError) as error:
        log.error("manifest_unreadable", recording_id=recording_id, reason=str(error))
        return None
