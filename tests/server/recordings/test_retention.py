"""Which recordings stay, on a clock that tests wind."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from recording.catalog import RecordingsFolder
from server.recordings.model import RecordingRow
from server.recordings.retention import EVERY_S, Limits, RecordingsRetention
from server.retention import DAY_S
from tests.recording.making import STARTED, record, recorder_in
from tests.server.prompts.virtual import VirtualTime
from tests.server.recordings.making import finished, row_of

AGES_DAYS = (3, 2, 1)


class Rows:
    """Rows of recordings that are done."""

    def __init__(self, rows: list[RecordingRow]) -> None:
        self.rows = {row.recording_id: row for row in rows}
        self.deleted: list[str] = []

    async def finished_recordings(self) -> list[RecordingRow]:
        return list(self.rows.values())

    async def mark_deleted(self, recording_id: str, at: float) -> bool:
        self.deleted.append(recording_id)
        return self.rows.pop(recording_id, None) is not None


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Recordings that ended three, two and one days ago, and one that still goes on."""
    found = []
    for days in AGES_DAYS:
        manifest = finished(tmp_path, started_unix_s=STARTED - days * DAY_S)
        found.append(row_of(manifest, stopped_at=STARTED - days * DAY_S))
    record(recorder_in(tmp_path), range(10))
    return Rows(found)


def retention(rows: Rows, directory: Path, limits: Limits, copied: bool = False) -> RecordingsRetention:
    return RecordingsRetention(rows, RecordingsFolder(directory), limits, copied, lambda: STARTED)


def here(directory: Path) -> list[str]:
    return sorted(RecordingsFolder(directory).listed().finished)


async def test_what_is_too_old_is_deleted(tmp_path: Path, rows: Rows) -> None:
    old, *young = rows.rows
    await retention(rows, tmp_path, Limits(2.5, 0)).look()
    assert rows.deleted == [old]
    assert here(tmp_path) == sorted(young)
    assert len(RecordingsFolder(tmp_path).listed().unfinished) == 1


async def test_what_is_too_much_goes_oldest_first(tmp_path: Path, rows: Rows) -> None:
    *old, youngest = rows.rows
    used = RecordingsFolder(tmp_path).used_bytes(youngest)
    await retention(rows, tmp_path, Limits(0, used)).look()
    assert rows.deleted == old
    assert here(tmp_path) == [youngest]


async def test_what_is_to_be_copied_stays_until_its_copy_counts(tmp_path: Path, rows: Rows) -> None:
    waiting, copied, _ = list(rows.rows)
    rows.rows[copied] = replace(rows.rows[copied], uploaded_at=STARTED)
    await retention(rows, tmp_path, Limits(1.5, 0), copied=True).look()
    assert copied not in here(tmp_path)
    assert waiting in here(tmp_path)
    assert rows.deleted == []  # it is still to be had, from elsewhere


async def test_what_nobody_knows_stays(tmp_path: Path, rows: Rows) -> None:
    unknown, *_ = list(rows.rows)
    del rows.rows[unknown]
    await retention(rows, tmp_path, Limits(0.1, 1)).look()
    assert here(tmp_path) == [unknown]


async def test_it_looks_again_and_a_folder_that_is_gone_does_not_end_it(tmp_path: Path, rows: Rows) -> None:
    time = VirtualTime()
    away = tmp_path / "not-mounted"
    keeper = RecordingsRetention(rows, RecordingsFolder(away), Limits(1.5, 0), False, lambda: STARTED, time.sleep)
    running = asyncio.get_running_loop().create_task(keeper.run())
    await time.pass_by(EVERY_S / 2)
    tmp_path.joinpath("not-mounted").symlink_to(tmp_path)
    assert len(here(tmp_path)) == len(AGES_DAYS)
    for _ in range(500):
        # A look is made in a thread of its own, and may not have come to its end when the next is due.
        await time.pass_by(EVERY_S)
        if len(here(tmp_path)) == 1:
            break
        await asyncio.sleep(0.01)
    assert len(rows.deleted) == 2 and len(here(tmp_path)) == 1
    running.cancel()


async def test_without_limits_it_ends_at_once(tmp_path: Path, rows: Rows) -> None:
    await retention(rows, tmp_path, Limits(0, 0)).run()
    assert len(here(tmp_path)) == len(AGES_DAYS)
