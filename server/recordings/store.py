"""All that is done with finished recordings, put together from the settings: shelf, second copies, retention."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from server.journal import Journal
from server.recordings.copies import Copies
from server.recordings.recovery import Recovery, Results
from server.recordings.rendering import Renderer
from server.recordings.retention import Limits, RecordingsRetention
from server.recordings.shelf import Shelf
from server.recordings.uploads import Uploads
from server.settings import Settings
from server.tasks import Tasks

log = structlog.get_logger(__name__)

PRUNED_AFTER_S: Final = 1.0
"""Recordings that end at the same time are looked at together."""


class RecordingStore:
    """Finished recordings. What it has going on are tasks of `tasks`, and end with them."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        tasks: Tasks,
        now: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        directory = settings.recordings_dir
        self._directory = directory
        self._journal = journal
        self._tasks = tasks
        url = settings.recordings_url
        copies = None if url is None else Copies(url, directory, tasks)
        self._uploads = None if copies is None else Uploads(journal, copies, now, monotonic)
        self.shelf: Final = Shelf(directory, Renderer(directory, tasks), copies)
        limits = Limits(settings.recordings_retention_days, settings.recordings_max_bytes)
        self._retention = RecordingsRetention(journal, self.shelf.folder, limits, copies is not None, now)
        self._to_prune = limits.total_bytes > 0
        self._pruning = False

    def start(self) -> None:
        """Have a folder, and begin to copy and to prune."""
        try:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            # Conferences go on without; each recording that is asked for fails, and says so.
            log.error("recordings_folder_unusable", directory=str(self._directory), reason=str(error))
        if self._uploads is not None:
            self._tasks.spawn(self._uploads.run(), "uploads")
        self._tasks.spawn(self._retention.run(), "retention")

    def recovery(self, results: Results, goes_on: Callable[[str], bool]) -> Recovery:
        """Return what brings to an end what an earlier server left; `goes_on`: whether a conference is in progress."""
        return Recovery(self.shelf.folder, self._journal, results, goes_on)

    def finished(self) -> None:
        """Have what has just been finished copied soon, and what it leaves no room for removed."""
        if self._uploads is not None:
            self._uploads.notify()
        if self._to_prune and not self._pruning:
            self._pruning = True
            self._tasks.spawn(self._prune(), "pruning")

    async def _prune(self) -> None:
        try:
            await asyncio.sleep(PRUNED_AFTER_S)
        finally:
            self._pruning = False
        await self._retention.look_if_possible()

    async def remove(self, recording_id: str) -> None:
        """Remove the files and the copy of a recording that is marked as deleted."""
        await self.shelf.remove(recording_id)
        if self._uploads is not None:
            await self._uploads.erase_now(recording_id)
