"""When copies are made, tried again and removed; on time that tests wind."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from server.journal.errors import JournalUnavailable
from server.recordings.copies import CopyFailed
from server.recordings.model import RecordingRow
from server.recordings.uploads import FIRST_PAUSE_S, LONGEST_PAUSE_S, LOOK_AGAIN_S, Uploads
from tests.server.prompts.virtual import settle
from tests.server.recordings.making import finished, row_of


class Rows:
    """Rows of recordings that are done."""

    def __init__(self, *rows: RecordingRow) -> None:
        self.rows = {row.recording_id: row for row in rows}
        self.broken = False

    async def recordings_to_upload(self) -> list[RecordingRow]:
        if self.broken:
            raise JournalUnavailable("locked")
        return [row for row in self.rows.values() if row.uploaded_at is None and row.deleted_at is None]

    async def recordings_to_erase(self) -> list[RecordingRow]:
        return [row for row in self.rows.values() if row.deleted_at is not None and row.remote_url is not None]

    async def mark_uploading(self, recording_id: str, remote_url: str) -> bool:
        return self._mark(recording_id, remote_url=remote_url)

    async def mark_uploaded(self, recording_id: str, at: float) -> bool:
        return self._mark(recording_id, uploaded_at=at)

    async def mark_erased(self, recording_id: str) -> None:
        self.rows[recording_id] = replace(self.rows[recording_id], remote_url=None)

    def delete(self, recording_id: str) -> None:
        self.rows[recording_id] = replace(self.rows[recording_id], deleted_at=1.0)

    def _mark(self, recording_id: str, **values: object) -> bool:
        if self.rows[recording_id].deleted_at is not None:
            return False
        self.rows[recording_id] = replace(self.rows[recording_id], **values)  # type: ignore[arg-type]
        return True


class Remote:
    """A place whose copies are names; it fails for recordings in `broken`, and waits if `gate` is closed."""

    def __init__(self) -> None:
        self.holds: set[str] = set()
        self.broken: set[str] = set()
        self.tried: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def url_of(self, recording_id: str) -> str:
        return f"there://{recording_id}"

    async def put(self, recording_id: str) -> None:
        self.tried.append(recording_id)
        await self.gate.wait()
        if recording_id in self.broken:
            raise CopyFailed("no answer")
        self.holds.add(recording_id)

    async def erase(self, recording_id: str) -> None:
        self.tried.append(f"erase {recording_id}")
        if recording_id in self.broken:
            raise CopyFailed("no answer")
        self.holds.discard(recording_id)


class Site:
    """Recordings a, b, c and a place for their copies."""

    def __init__(self, row: RecordingRow) -> None:
        self.rows = Rows(*(replace(row, recording_id=recording_id) for recording_id in "abc"))
        self.remote = Remote()
        self.now = 100.0
        self.uploads = Uploads(self.rows, self.remote, lambda: 5000.0, lambda: self.now)

    @property
    def uploaded(self) -> set[str]:
        return {row.recording_id for row in self.rows.rows.values() if row.uploaded_at == 5000.0}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(row_of(finished(tmp_path)))


async def test_everything_is_copied_once(site: Site) -> None:
    assert await site.uploads.look() == LOOK_AGAIN_S
    assert site.remote.holds == site.uploaded == {"a", "b", "c"}
    await site.uploads.look()
    assert site.remote.tried == ["a", "b", "c"]


async def test_one_that_fails_holds_up_no_other_and_waits_ever_longer(site: Site) -> None:
    site.remote.broken = {"b"}
    assert await site.uploads.look() == FIRST_PAUSE_S
    assert site.uploaded == {"a", "c"}
    tries = [0.0]
    for second in range(1, 6000):
        site.now += 1.0
        tried = len(site.remote.tried)
        await site.uploads.look()
        tries += [second] * (len(site.remote.tried) - tried)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[:4] == [5.0, 10.0, 20.0, 40.0] and pauses[-1] == LONGEST_PAUSE_S
    site.now += LONGEST_PAUSE_S
    site.remote.broken.clear()
    await site.uploads.look()
    assert site.uploaded == {"a", "b", "c"}


async def test_a_deleted_ones_copy_goes_at_once(site: Site) -> None:
    await site.uploads.look()
    site.rows.delete("a")
    await site.uploads.erase_now("a")
    assert site.remote.holds == {"b", "c"}
    assert site.rows.rows["a"].remote_url is None


async def test_a_copy_that_cannot_be_erased_now_is_erased_later(site: Site) -> None:
    await site.uploads.look()
    site.rows.delete("a")
    site.remote.broken = {"a"}
    await site.uploads.erase_now("a")
    assert site.remote.holds == {"a", "b", "c"}
    site.remote.broken.clear()
    site.now += FIRST_PAUSE_S
    await site.uploads.look()
    assert site.remote.holds == {"b", "c"}


async def test_one_that_is_deleted_while_it_is_copied_leaves_no_copy(site: Site) -> None:
    site.remote.gate.clear()
    looking = asyncio.get_running_loop().create_task(site.uploads.look())
    await settle()
    site.rows.delete("a")
    await site.uploads.erase_now("a")
    assert site.remote.tried == ["a"]
    site.remote.gate.set()
    await looking
    assert site.remote.holds == {"b", "c"}
    assert site.rows.rows["a"].uploaded_at is None


async def test_it_goes_on_when_the_bell_rings_and_when_the_journal_is_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.rows.broken = True
    running = asyncio.get_running_loop().create_task(site.uploads.run())
    await settle()
    assert site.uploaded == set()
    site.rows.broken = False
    site.uploads.notify()
    await settle()
    assert site.uploaded == {"a", "b", "c"}
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
