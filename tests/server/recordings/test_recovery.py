"""What a server does at its start about recordings that an earlier one left."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from recording.catalog import Manifest, RecordingsFolder, folder_name, repair_command
from server import children
from server.conference.recordings import RecordingState
from server.journal.errors import JournalUnavailable
from server.recordings.model import RecordingRow
from server.recordings.recovery import FIRST_PAUSE_S, Recovery
from tests.recording.making import record, recorder_in
from tests.server.recordings.making import finished, row_of


class Rows:
    """The journal: rows by id, and manifests of recordings that it did not know."""

    def __init__(self) -> None:
        self.rows: dict[str, RecordingRow] = {}
        self.adopted: dict[str, Manifest] = {}
        self.broken = 0

    async def recording(self, recording_id: str) -> RecordingRow | None:
        return self.rows.get(recording_id)

    async def unfinished_recordings(self) -> list[tuple[str, str]]:
        if self.broken:
            self.broken -= 1
            raise JournalUnavailable("locked")
        return [(row.recording_id, row.conference_id) for row in self.rows.values() if not row.final]

    async def finished_recordings(self) -> list[RecordingRow]:
        return [row for row in self.rows.values() if row.final and row.manifest is not None]

    async def keep_manifest(self, recording_id: str, content: str) -> None:
        self.adopted[recording_id] = Manifest.parse(content)


class Results:
    """Repairs for real; remembers what was told."""

    def __init__(self, folder: RecordingsFolder) -> None:
        self.folder = folder
        self.told: dict[str, Manifest | None] = {}
        self.repairs: list[str] = []

    async def repaired(self, recording_id: str) -> Manifest | None:
        self.repairs.append(recording_id)
        await children.run(repair_command(self.folder.directory, recording_id=recording_id), 60.0)
        with suppress(FileNotFoundError):
            return self.folder.manifest(recording_id)
        return None

    async def recovered(self, conference_id: str, recording_id: str, manifest: Manifest | None) -> None:
        assert recording_id not in self.told
        self.told[recording_id] = manifest


class Site:
    """A folder of recordings, and what a server knows of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.folder = RecordingsFolder(directory)
        self.rows = Rows()
        self.results = Results(self.folder)
        self.in_progress: set[str] = set()
        self.slept: list[float] = []
        self.at_sleep: Callable[[], object] = lambda: None

    def know(self, recording_id: str, state: RecordingState = RecordingState.PROCESSING, **fields: object) -> None:
        row = RecordingRow(recording_id, f"of {recording_id}", "p1", "team", "Conference", state, 1000.0)
        self.rows.rows[recording_id] = replace(row, **fields)  # type: ignore[arg-type]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_sleep()
        assert len(self.slept) < 20, "it does not come to an end"

    async def recover(self) -> None:
        recovery = Recovery(self.folder, self.rows, self.results, self.in_progress.__contains__, self.sleep)
        async with asyncio.timeout(60):
            await recovery.run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "recordings")


async def test_nothing_left_is_nothing_done(site: Site) -> None:
    manifest = finished(site.directory)
    site.rows.rows[manifest.recording_id] = row_of(manifest)
    await site.recover()
    assert (site.results.told, site.rows.adopted, site.slept) == ({}, {}, [])


async def test_what_a_crash_cut_off_is_published_and_told(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    recorder = recorder_in(site.directory, recording_id=recording_id)
    record(recorder, range(100))
    recorder.sync(3.0)
    recorder._close()  # lets go of its lock, as if it had been killed
    site.know(recording_id)
    await site.recover()
    manifest = site.results.told[recording_id]
    assert manifest is not None
    assert (manifest.status, manifest.recovered) == ("completed", True)
    assert site.folder.listed().finished == (recording_id,)


async def test_a_recorder_that_outlived_its_server_is_waited_for(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    recorder = recorder_in(site.directory, recording_id=recording_id)
    record(recorder, range(100))
    site.know(recording_id)

    def at_sleep() -> None:
        if len(site.slept) == 3:
            recorder.finish("server_gone", 99)

    site.at_sleep = at_sleep
    await site.recover()
    manifest = site.results.told[recording_id]
    assert manifest is not None
    assert (manifest.reason, manifest.recovered, manifest.duration_s) == ("server_gone", False, 2.0)
    assert site.slept == [FIRST_PAUSE_S, FIRST_PAUSE_S * 2, FIRST_PAUSE_S * 4]


async def test_one_that_was_published_but_not_told_is_told(site: Site) -> None:
    manifest = finished(site.directory)
    site.know(manifest.recording_id)
    await site.recover()
    assert site.results.told == {manifest.recording_id: manifest}
    assert site.results.repairs == []


async def test_one_of_which_nothing_is_left_is_told_to_be_lost_after_a_moment(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    site.know(recording_id)
    await site.recover()
    assert site.results.told == {recording_id: None}
    assert site.slept == [FIRST_PAUSE_S]


async def test_one_whose_folder_comes_late_is_not_lost(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    site.know(recording_id)
    site.at_sleep = lambda: finished(site.directory, recording_id=recording_id)
    await site.recover()
    assert site.results.told[recording_id] is not None


async def test_what_goes_on_again_is_left_alone(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    recorder = recorder_in(site.directory, recording_id=recording_id)
    record(recorder, range(10))
    site.know(recording_id, RecordingState.IN_PROGRESS)
    site.in_progress.add(f"of {recording_id}")
    await site.recover()
    assert site.results.told == {}
    assert site.results.repairs == []
    recorder._close()


async def test_files_that_the_database_does_not_know_are_known_again(site: Site) -> None:
    manifest = finished(site.directory)
    await site.recover()
    assert site.rows.adopted == {manifest.recording_id: manifest}
    assert site.results.told == {}


async def test_what_was_deleted_by_half_is_removed(site: Site) -> None:
    manifest = finished(site.directory)
    site.rows.rows[manifest.recording_id] = replace(row_of(manifest), deleted_at=2000.0, manifest=None)
    half = finished(site.directory)
    path = site.directory / folder_name(half.recording_id)
    path.rename(path.with_name(f"{path.name}.deleted"))
    await site.recover()
    assert list(site.directory.iterdir()) == []
    assert site.results.told == {}


async def test_a_journal_that_cannot_be_read_yet_is_asked_again(site: Site) -> None:
    recording_id = str(uuid.uuid4())
    site.know(recording_id)
    site.rows.broken = 2
    await site.recover()
    assert site.results.told == {recording_id: None}
    assert len(site.slept) == 3


async def test_one_without_a_readable_manifest_is_lost_but_stays(site: Site) -> None:
    manifest = finished(site.directory)
    path = site.directory / folder_name(manifest.recording_id) / "manifest.json"
    path.write_text("{")
    site.know(manifest.recording_id)
    await site.recover()
    assert site.results.told == {manifest.recording_id: None}
    assert path.exists()
