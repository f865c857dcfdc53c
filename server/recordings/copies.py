"""The second copies of recordings, as the server uses them: all work on them is done by children that end in time.

Decides how many are copied at once and that nobody asks twice for what is on its way. When copies are made, and what
becomes of those that fail, is `uploads`' affair.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from recording.catalog import Manifest, folder_name
from server import children
from server.recordings.flights import Flights
from server.recordings.model import MANIFEST
from server.tasks import Tasks

DEADLINE_S: Final = 6 * 3600.0
FETCHES_AT_ONCE: Final = 4


class CopyFailed(Exception):  # noqa: N818 - like LaunchFailed
    """A copy was not made, brought back or removed; the message says why."""


class Copies:
    """The copies at a URL of the recordings that lie in `directory`."""

    def __init__(self, url: str, directory: Path, tasks: Tasks, run: children.Run = children.run) -> None:
        self._url = url.rstrip("/")
        self._directory = directory
        self._run = run
        self._fetches = Flights(tasks, FETCHES_AT_ONCE)

    def url_of(self, recording_id: str) -> str:
        """Return where a recording's copy is, or will be."""
        return f"{self._url}/{folder_name(recording_id)}"

    async def put(self, recording_id: str) -> None:
        """Copy all files of a recording, and see that the copy is whole; raise CopyFailed."""
        await self._do("put", recording_id)

    async def erase(self, recording_id: str) -> None:
        """Remove a recording's copy, if there is one; raise CopyFailed."""
        await self._do("erase", recording_id)

    async def fetch(self, manifest: Manifest, files: Sequence[str]) -> None:
        """Bring files of a recording back into its folder; raise CopyFailed."""
        recording_id = manifest.recording_id

        async def work() -> None:
            await asyncio.to_thread(_put_manifest, self._directory / folder_name(recording_id), manifest)
            await self._do("get", recording_id, *files)

        await self._fetches.join((recording_id, *files), work, f"fetch {recording_id}")

    async def _do(self, task: str, recording_id: str, *files: str) -> None:
        arguments = (task, self._url, str(self._directory), recording_id, *files)
        try:
            ended = await self._run((sys.executable, "-m", "server.recordings.copying", *arguments), DEADLINE_S)
        except (TimeoutError, OSError) as error:
            raise CopyFailed(str(error) or "it took too long") from error
        if ended.status != 0:
            raise CopyFailed(ended.words)


def _put_manifest(folder: Path, manifest: Manifest) -> None:
    """Have a folder with the manifest, as the other files' hashes are in it."""
    folder.mkdir(mode=0o750, exist_ok=True)
    if (folder / MANIFEST).exists():
        return
    unfinished = folder / f"{MANIFEST}.{os.getpid()}.tmp"
    unfinished.write_bytes(manifest.dump())
    unfinished.replace(folder / MANIFEST)
