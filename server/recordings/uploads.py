"""When second copies are made and removed: after a recording is done, again and again until it is known to be whole.

What is to be copied and erased is in the journal, so nothing is forgotten when the server stops. One recording at a
time; one that cannot be copied now waits longer after each try and holds up no other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from server.journal.errors import JournalUnavailable
from server.recordings.copies import CopyFailed
from server.recordings.model import RecordingRow

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 1800.0
LOOK_AGAIN_S: Final = 60.0
"""Without being told that there is something to do."""

Sleep = Callable[[float], Awaitable[None]]


class Rows(Protocol):
    """What is needed of the journal."""

    async def recordings_to_upload(self) -> list[RecordingRow]:
        """Return recordings that have no whole copy."""
        ...

    async def recordings_to_erase(self) -> list[RecordingRow]:
        """Return deleted recordings that may have a copy."""
        ...

    async def mark_uploading(self, recording_id: str, remote_url: str) -> bool:
        """Remember where a copy is being made; False: the recording was deleted."""
        ...

    async def mark_uploaded(self, recording_id: str, at: float) -> bool:
        """Remember that a copy is whole; False: the recording was deleted."""
        ...

    async def mark_erased(self, recording_id: str) -> None:
        """Remember that there is no copy any more."""
        ...


class Remote(Protocol):
    """What is needed of `copies`."""

    def url_of(self, recording_id: str) -> str:
        """Return where a copy goes."""
        ...

    async def put(self, recording_id: str) -> None:
        """Make a copy and check it."""
        ...

    async def erase(self, recording_id: str) -> None:
        """Remove a copy."""
        ...


class Uploads:
    """Keeps the second copies as the journal says they should be."""

    def __init__(self, rows: Rows, remote: Remote, now: Callable[[], float], monotonic: Callable[[], float]) -> None:
        """`now` gives Unix seconds, `monotonic` seconds that never step."""
        self._rows = rows
        self._remote = remote
        self._now = now
        self._monotonic = monotonic
        self._bell = asyncio.Event()
        self._failures: dict[str, tuple[int, float]] = {}
        """How often in a row a recording has failed, and when it may be tried again."""
        self._one_at_a_time = asyncio.Lock()

    def notify(self) -> None:
        """There may be something to copy or to erase."""
        self._bell.set()

    async def run(self) -> None:
        """Copy and erase until cancelled."""
        while True:
            self._bell.clear()
            try:
                pause_s = await self.look()
            except JournalUnavailable as error:
                log.error("uploads_wait", reason=str(error))
                pause_s = FIRST_PAUSE_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def look(self) -> float:
        """Try everything that is due once; return in how many seconds to look again at the latest."""
        for row in await self._rows.recordings_to_upload():
            await self._attempt(row.recording_id, self._put)
        for row in await self._rows.recordings_to_erase():
            await self._attempt(row.recording_id, self._erase)
        due = [at - self._monotonic() for _, at in self._failures.values()]
        return max(0.0, min([LOOK_AGAIN_S, *due]))

    async def erase_now(self, recording_id: str) -> None:
        """Remove the copy of a deleted recording at once, unless others are at work; then it follows soon."""
        if not self._one_at_a_time.locked():
            await self._attempt(recording_id, self._erase)
        self.notify()

    async def _attempt(self, recording_id: str, act: Callable[[str], Awaitable[None]]) -> None:
        failed, due_at = self._failures.get(recording_id, (0, 0.0))
        if failed and self._monotonic() < due_at:
            return
        async with self._one_at_a_time:
            try:
                await act(recording_id)
            except CopyFailed as error:
                pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**failed)
                self._failures[recording_id] = (failed + 1, self._monotonic() + pause_s)
                log.error("copy_failed", recording_id=recording_id, reason=str(error), again_in_s=pause_s)
            else:
                self._failures.pop(recording_id, None)

    async def _put(self, recording_id: str) -> None:
        # Known before it is begun: of a recording that is deleted meanwhile the copy is erased, whole or not.
        if not await self._rows.mark_uploading(recording_id, self._remote.url_of(recording_id)):
            return
        await self._remote.put(recording_id)
        if await self._rows.mark_uploaded(recording_id, self._now()):
            log.info("recording_copied", recording_id=recording_id, url=self._remote.url_of(recording_id))

    async def _erase(self, recording_id: str) -> None:
        await self._remote.erase(recording_id)
        await self._rows.mark_erased(recording_id)
        log.info("copy_erased", recording_id=recording_id)
