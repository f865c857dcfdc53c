"""A row for each recording, written with the events that tell of it, and kept when these are forgotten."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from recording.catalog import Manifest
from server.conference.commands import (
    End,
    PauseRecording,
    RecordingFinished,
    StartRecording,
    StopRecording,
)
from server.conference.recordings import PauseBehavior, RecordingPlan, RecordingResult, RecordingState
from server.journal import Journal, SequenceConflict, recordings
from server.recordings.model import RecordingRow
from tests.recording.making import record, recorder_in
from tests.server.journal.recorder import Recorded

URL = "https://parley.test/v1/recordings/rec/audio"
DONE = RecordingResult(RecordingState.COMPLETED, 2.5, 40_044)


async def going_on(journal: Journal, recording_id: str = "rec-1", name: str = "team") -> Recorded:
    """A conference `name` that is recorded since 1001 s."""
    recorded = Recorded(journal, name, name)
    await recorded.join("a")
    await recorded.do(StartRecording(RecordingPlan(recording_id, URL, trim=False, tracks=True)))
    return recorded


async def row(journal: Journal, recording_id: str = "rec-1") -> RecordingRow:
    found = await journal.recording(recording_id)
    assert found is not None
    return found


def a_manifest(directory: Path, **fields: Any) -> Manifest:
    recorder = recorder_in(directory, **fields)
    record(recorder, range(50))
    return recorder.finish("stopped", 49)


async def test_a_row_follows_its_recording_from_start_to_end(journal: Journal) -> None:
    recorded = await going_on(journal)
    assert await row(journal) == RecordingRow(
        recording_id="rec-1",
        conference_id="team",
        project_id="key-1",
        name="team",
        source="StartConferenceRecordingAPI",
        status=RecordingState.IN_PROGRESS,
        started_at=1001.0,
        trim=False,
        tracks=True,
        url=URL,
    )
    await recorded.do(PauseRecording("rec-1", PauseBehavior.SKIP))
    assert (await row(journal)).status is RecordingState.PAUSED
    await recorded.do(End())
    stopped = await row(journal)
    assert (stopped.status, stopped.stopped_at, stopped.duration_s) == (RecordingState.PROCESSING, 1003.0, 1.0)
    assert await journal.unfinished_recordings() == [("rec-1", "team")]
    await recorded.do(RecordingFinished("rec-1", DONE))
    done = await row(journal)
    assert (done.status, done.duration_s, done.byte_size) == (RecordingState.COMPLETED, 2.5, 40_044)
    assert await journal.unfinished_recordings() == []


async def test_the_end_of_a_conference_stops_its_recording(journal: Journal) -> None:
    recorded = await going_on(journal)
    await recorded.do(End())
    assert (await row(journal)).status is RecordingState.PROCESSING
    failed = RecordingResult(RecordingState.FAILED, recovered=True, lost_ms=700, reason="disk_full")
    await recorded.do(RecordingFinished("rec-1", failed))
    found = await row(journal)
    assert (found.status, found.reason, found.recovered, found.lost_ms) == (
        RecordingState.FAILED,
        "disk_full",
        True,
        700,
    )


async def test_one_that_never_began_has_a_row_when_its_conference_ends(journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a", start_on_enter=False, recording=RecordingPlan("rec-1", URL))
    assert await journal.recording("rec-1") is None
    await recorded.do(End())
    found = await row(journal)
    assert (found.status, found.reason, found.source) == (
        RecordingState.ABSENT,
        "conference_never_started",
        "Conference",
    )


async def test_events_that_cannot_be_logged_change_no_row(journal: Journal) -> None:
    recorded = await going_on(journal)
    logged = len(recorded.scenario.log)
    recorded.scenario.do(PauseRecording("rec-1"))
    recorded.scenario.do(RecordingFinished("rec-1", DONE))
    with pytest.raises(SequenceConflict):
        await journal.append(recorded.conference, recorded.scenario.log[logged + 1 :])
    assert (await row(journal)).status is RecordingState.IN_PROGRESS


async def test_a_manifest_is_kept_before_and_after_the_end_is_told(journal: Journal, tmp_path: Path) -> None:
    recorded = await going_on(journal)
    await journal.keep_manifest("rec-1", '{"first": 1}')
    found = await row(journal)
    assert (found.manifest, found.status) == ('{"first": 1}', RecordingState.IN_PROGRESS)
    assert await journal.finished_recordings() == []
    await recorded.do(StopRecording("rec-1"))
    await recorded.do(RecordingFinished("rec-1", DONE))
    await journal.keep_manifest("rec-1", '{"second": 2}')
    found = await row(journal)
    assert (found.manifest, found.status) == ('{"second": 2}', RecordingState.COMPLETED)


async def test_a_recording_whose_row_was_lost_is_known_again_by_its_manifest(journal: Journal, tmp_path: Path) -> None:
    manifest = a_manifest(tmp_path, project_id="key-9", source="api")
    await journal.keep_manifest(manifest.recording_id, manifest.dump().decode())
    found = await row(journal, manifest.recording_id)
    assert (found.project_id, found.status, found.byte_size) == ("key-9", RecordingState.COMPLETED, 16_080)
    assert (found.source, found.stopped_at) == ("StartConferenceRecordingAPI", manifest.ended_at)
    assert [row.recording_id for row in await journal.list_recordings("key-9")] == [manifest.recording_id]


async def test_a_manifest_of_another_recording_makes_none_known(journal: Journal, tmp_path: Path) -> None:
    content = a_manifest(tmp_path).dump().decode()
    with pytest.raises(ValueError, match="not of"):
        await journal.keep_manifest(str(uuid.uuid4()), content)
    with pytest.raises(ValueError, match="Manifest"):
        await journal.keep_manifest(str(uuid.uuid4()), json.dumps(["no", "manifest"]))


async def test_lists_are_of_a_project_and_a_conference_the_newest_first(journal: Journal) -> None:
    first = await going_on(journal, "rec-1", "one")
    await first.do(StopRecording("rec-1"))
    await first.do(StartRecording(RecordingPlan("rec-2", URL)))
    await going_on(journal, "rec-3", "two")

    async def ids(*arguments: Any) -> list[str]:
        return [found.recording_id for found in await journal.list_recordings("key-1", *arguments)]

    # rec-1 and rec-3 began at the same time.
    assert await ids() == ["rec-2", "rec-1", "rec-3"]
    assert await ids("one") == ["rec-2", "rec-1"]
    assert await ids(None, 1) == ["rec-2"]
    assert await ids(None, 5, await row(journal, "rec-1")) == ["rec-3"]
    assert await journal.list_recordings("key-2") == []
    assert await journal.recording_ids(["one", "two", "none"]) == {"one": ["rec-1", "rec-2"], "two": ["rec-3"]}


async def test_a_deleted_one_is_in_no_list_and_is_deleted_once(journal: Journal) -> None:
    recorded = await going_on(journal)
    await recorded.do(StopRecording("rec-1"))
    await recorded.do(RecordingFinished("rec-1", DONE))
    await journal.keep_manifest("rec-1", "{}")
    assert await journal.mark_uploading("rec-1", "memory://there/rec-1")
    assert [found.recording_id for found in await journal.recordings_to_upload()] == ["rec-1"]
    assert await journal.mark_deleted("rec-1", 2000.0)
    assert not await journal.mark_deleted("rec-1", 3000.0)
    assert (await row(journal)).deleted_at == 2000.0
    assert await journal.list_recordings("key-1") == []
    assert await journal.finished_recordings() == await journal.recordings_to_upload() == []
    assert not await journal.mark_uploading("rec-1", "elsewhere")
    assert not await journal.mark_uploaded("rec-1", 2001.0)
    (to_erase,) = await journal.recordings_to_erase()
    assert to_erase.remote_url == "memory://there/rec-1"
    await journal.mark_erased("rec-1")
    assert await journal.recordings_to_erase() == []


async def test_what_was_copied_is_not_to_be_copied_again(journal: Journal) -> None:
    recorded = await going_on(journal)
    await recorded.do(End())
    await recorded.do(RecordingFinished("rec-1", DONE))
    assert await journal.recordings_to_upload() == []  # its files are not known yet
    await journal.keep_manifest("rec-1", "{}")
    assert len(await journal.recordings_to_upload()) == 1
    await journal.mark_uploading("rec-1", "memory://there/rec-1")
    await journal.mark_uploaded("rec-1", 2000.0)
    assert await journal.recordings_to_upload() == []
    (kept,) = await journal.finished_recordings()
    assert (kept.remote_url, kept.uploaded_at, kept.manifest) == ("memory://there/rec-1", 2000.0, None)


async def test_a_recording_outlives_the_events_of_its_conference(journal: Journal) -> None:
    recorded = await going_on(journal)
    await recorded.do(End())
    await recorded.do(RecordingFinished("rec-1", DONE))
    assert await journal.prune(1e9, 10) == 1
    assert await journal.load("team") is None
    assert (await row(journal)).status is RecordingState.COMPLETED


async def test_one_whose_conference_is_forgotten_can_still_come_to_its_end(journal: Journal) -> None:
    await (await going_on(journal)).do(End())
    assert await journal.prune(1e9, 10) == 1
    lost = RecordingResult(RecordingState.FAILED, 1.5, 9, recovered=True, lost_ms=80, reason="disk_full")
    await journal.finish_recording("rec-1", lost)
    found = await row(journal)
    assert (found.status, found.duration_s, found.byte_size) == (RecordingState.FAILED, 1.5, 9)
    assert (found.recovered, found.lost_ms, found.reason) == (True, 80, "disk_full")
    assert await journal.unfinished_recordings() == []
    await journal.finish_recording("rec-1", DONE)
    await journal.finish_recording("rec-9", DONE)
    assert await row(journal) == found
    assert await journal.recording("rec-9") is None


async def test_events_that_are_taken_back_take_their_changes_of_rows_with_them(journal: Journal) -> None:
    recorded = await going_on(journal)
    before = recorded.conference
    await recorded.do(PauseRecording("rec-1"))
    await recorded.do(RecordingFinished("rec-1", DONE))
    await recorded.do(StartRecording(RecordingPlan("rec-2", URL)))
    await journal._write(lambda connection: recordings.take_back(connection, "team", before))
    assert (await row(journal)).status is RecordingState.IN_PROGRESS
    assert (await row(journal)).duration_s is None
    assert await journal.recording("rec-2") is None
    await journal._write(lambda connection: recordings.take_back(connection, "team", None))
    assert await journal.recording("rec-1") is None
