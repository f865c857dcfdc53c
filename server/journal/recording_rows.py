"""The part of the journal that is about recordings, for whoever shows, keeps, deletes or repairs them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from server.conference.recordings import RecordingResult
from server.journal import recordings
from server.recordings.model import RecordingRow

T = TypeVar("T")


class RecordingRows(ABC):
    """Reads and changes rows of recordings. Every method raises `JournalUnavailable`."""

    @abstractmethod
    async def _write(self, run: Callable[[Connection], T]) -> T:
        """Run a write; it is on disk when this returns."""

    @abstractmethod
    async def _read(self, run: Callable[[Connection], T]) -> T:
        """Run a read."""

    async def keep_manifest(self, recording_id: str, content: str) -> None:
        """Keep the manifest (JSON) of a recording, whatever is known of it otherwise.

        A recording that is not known, because the database was lost but not the files, is known from then on. Raises
        `ValueError` if what the manifest says cannot be used for that.
        """
        await self._write(lambda connection: recordings.keep_manifest(connection, recording_id, content))

    async def finish_recording(self, recording_id: str, result: RecordingResult) -> None:
        """Keep what came of a recording whose conference is forgotten; what is known already stays as it is."""
        await self._write(lambda connection: recordings.finish(connection, recording_id, result))

    async def recording(self, recording_id: str) -> RecordingRow | None:
        """Return a recording, also one that was deleted."""
        return await self._read(lambda connection: recordings.find(connection, recording_id))

    async def list_recordings(
        self, project_id: str, conference_id: str | None = None, limit: int = 1000, before: RecordingRow | None = None
    ) -> list[RecordingRow]:
        """Return a project's recordings, the newest first, of a conference or any; none that was deleted.

        `before` is the last one of the page before.
        """
        return await self._read(
            lambda connection: recordings.newest(connection, project_id, conference_id, limit, before)
        )

    async def recording_ids(self, conference_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return the recordings of each conference that had any, deleted ones too, in the order they began."""
        return await self._read(lambda connection: recordings.ids_of(connection, conference_ids))

    async def unfinished_recordings(self) -> list[tuple[str, str]]:
        """Return (recording id, conference id) of recordings of which nobody knows yet what came of them."""
        return await self._read(recordings.unfinished)

    async def finished_recordings(self) -> list[RecordingRow]:
        """Return recordings that are done and have files, here or elsewhere; oldest first, without manifests."""
        return await self._read(recordings.finished)

    async def recordings_to_upload(self) -> list[RecordingRow]:
        """Return recordings that are done and not known to have a whole copy; oldest first, without manifests."""
        return await self._read(recordings.to_upload)

    async def recordings_to_erase(self) -> list[RecordingRow]:
        """Return deleted recordings that have, or may have, a copy elsewhere; oldest first, without manifests."""
        return await self._read(recordings.deleted)

    async def mark_deleted(self, recording_id: str, at: float) -> bool:
        """Show a recording no more, from `at` (Unix seconds) on. False: there is none, or it was deleted before."""
        return await self._mark(recording_id, deleted_at=at)

    async def mark_uploading(self, recording_id: str, remote_url: str) -> bool:
        """Remember where a second copy is about to be made. False: the recording was deleted meanwhile."""
        return await self._mark(recording_id, remote_url=remote_url, uploaded_at=None)

    async def mark_uploaded(self, recording_id: str, at: float) -> bool:
        """Remember that the second copy is whole. False: the recording was deleted meanwhile."""
        return await self._mark(recording_id, uploaded_at=at)

    async def mark_erased(self, recording_id: str) -> None:
        """Forget where the second copy was; there is none any more."""
        await self._write(lambda connection: recordings.mark(connection, recording_id, if_shown=False, remote_url=None))

    async def _mark(self, recording_id: str, **values: object) -> bool:
        return await self._write(lambda connection: recordings.mark(connection, recording_id, if_shown=True, **values))
