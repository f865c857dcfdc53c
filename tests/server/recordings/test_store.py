"""Recordings of a server from the last sound on: copied elsewhere, served from there, pruned, recovered."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from recording.catalog import folder_name
from recording.recorder import Recorder
from server.recordings.model import RecordingRow
from tests.recording.making import record
from tests.support.api import Api, Json, serving


async def recorded(api: Api) -> Json:
    """Make a recording of two voices; return RECORDING when it is done."""
    await api.enter("team")
    recording = await api.post("/v1/conferences/team/recordings", {"tracks": True, "trim": "do-not-trim"}, 201)
    await api.settle()
    api.mixers.recorders[-1].voices += ["anna", "ben"]
    await api.post("/v1/conferences/team/end")
    await api.settle()
    return await api.get(f"/v1/recordings/{recording['recording_id']}")


async def row(api: Api, recording_id: str) -> RecordingRow:
    found = await api.service.context.journal.recording(recording_id)
    assert found is not None
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what processes bring about."""
    for _ in range(3000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen")


async def copied(api: Api, recording: Json) -> None:
    async def is_copied() -> bool:
        return (await row(api, recording["recording_id"])).uploaded_at is not None

    await until(is_copied)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere"


def here(data_dir: Path, recording: Json) -> Path:
    return data_dir / "recordings" / folder_name(recording["recording_id"])


async def test_a_recording_is_copied_and_served_from_its_copy_when_it_is_gone_here(tmp_path: Path, place: Path) -> None:
    async with serving(tmp_path / "data", recordings_url=f"file://{place}") as api:
        recording = await recorded(api)
        await copied(api, recording)
        path = f"/v1/recordings/{recording['recording_id']}"
        whole = (await api.request("GET", f"{path}/audio")).content
        folder = here(tmp_path / "data", recording)
        copy = place / folder.name
        assert {file.name for file in copy.iterdir()} == {"audio.wav", "track-0.flac", "track-1.flac", "manifest.json"}
        api.service.context.store.shelf.folder.delete(recording["recording_id"])
        part = await api.request("GET", f"{path}/audio", headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert {file.name for file in folder.iterdir()} == {"audio.wav", "manifest.json"}
        api.service.context.store.shelf.folder.delete(recording["recording_id"])
        assert (await api.request("GET", f"{path}/audio.flac?channels=2")).status_code == 200
        assert (await api.request("GET", f"{path}/tracks/ben/audio.flac")).status_code == 200
        assert await api.get(path) == recording
        await api.delete(path)
        assert not folder.exists()
        assert not copy.exists()
        assert (await row(api, recording["recording_id"])).remote_url is None


async def test_a_copy_that_cannot_be_had_is_503_and_one_that_never_was_404(tmp_path: Path, place: Path) -> None:
    async with serving(tmp_path / "data", recordings_url=f"file://{place}") as api:
        recording = await recorded(api)
        await copied(api, recording)
        api.service.context.store.shelf.folder.delete(recording["recording_id"])
        (place / folder_name(recording["recording_id"]) / "audio.wav").rename(place / "hidden")
        path = f"/v1/recordings/{recording['recording_id']}/audio"
        problem = await api.request("GET", path)
        assert (problem.status_code, problem.json()["code"]) == (503, "recording_unavailable")
        assert "retry-after" in problem.headers
        (place / "hidden").rename(place / folder_name(recording["recording_id"]) / "audio.wav")
        assert (await api.request("GET", path)).status_code == 200
    async with serving(tmp_path / "other") as api:
        recording = await recorded(api)
        api.service.context.store.shelf.folder.delete(recording["recording_id"])
        await api.refused("GET", f"/v1/recordings/{recording['recording_id']}/audio", None, 404, "not_found")


async def test_a_copy_that_failed_is_made_after_a_restart(tmp_path: Path, place: Path) -> None:
    (tmp_path / "elsewhere").write_text("in the way")
    async with serving(tmp_path / "data", recordings_url=f"file://{place}") as api:
        recording = await recorded(api)

        async def has_failed() -> bool:
            found = await row(api, recording["recording_id"])
            uploads: Any = api.service.context.store._uploads
            return found.remote_url is not None and bool(uploads._failures)

        await until(has_failed)
        assert (await api.request("GET", f"/v1/recordings/{recording['recording_id']}/audio")).status_code == 200
    (tmp_path / "elsewhere").unlink()
    async with serving(tmp_path / "data", recordings_url=f"file://{place}") as api:
        await copied(api, recording)
        assert (place / folder_name(recording["recording_id"]) / "manifest.json").exists()


async def test_the_oldest_give_way_when_there_is_no_room(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        older = await recorded(api)
        api.clock.pass_s(10)
        younger = await recorded(api)
        room = api.service.context.store.shelf.folder.used_bytes(younger["recording_id"])
    async with serving(tmp_path, recordings_max_bytes=str(room)) as api:

        async def is_gone() -> bool:
            return not here(tmp_path, older).exists()

        await until(is_gone)
        await api.refused("GET", f"/v1/recordings/{older['recording_id']}", None, 404, "not_found")
        assert (await api.get("/v1/recordings"))["recordings"] == [younger]


async def test_the_oldest_give_way_when_a_younger_one_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.recordings.store.PRUNED_AFTER_S", 0.01)
    async with serving(tmp_path, recordings_max_bytes="1") as api:
        recording = await recorded(api)

        async def is_gone() -> bool:
            return not here(tmp_path, recording).exists()

        await until(is_gone)


async def test_the_end_of_what_a_crash_left_tells_of_a_recording_that_was_done_meanwhile(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        joined = await api.enter("team", record="record-from-start")
        await api.settle()
        recorder = api.mixers.recorders[-1]
        recorder.holds_back = True
        config = recorder.config
        await api.be_killed()
    left = Recorder(tmp_path / "recordings", config, lambda: config.started_unix_s)
    record(left, range(100))
    manifest = left.finish("server_lost", 99)
    assert manifest.recovered and manifest.files.audio is not None
    async with serving(tmp_path) as api:
        # Whoever asks gets all of it or nothing, from the first moment on.
        assert (await api.get(f"/v1/recordings/{config.recording_id}"))["sha256"] == manifest.files.audio.sha256
        assert (await api.request("GET", f"/v1/recordings/{config.recording_id}/audio")).status_code == 200
        events = (await api.get(f"/v1/conferences/{joined['conference_id']}/events"))["events"]
        end, stop = events[-2]["params"], events[-1]["params"]
        assert (end["status"], stop["status"], stop["recovered"]) == ("conference-end", "record-stop", True)
        for params in (end, stop):
            assert (params["recording_duration"], params["recording_file_size"]) == (
                2.0,
                manifest.files.audio.byte_size,
            )


async def test_a_recording_that_a_crash_cut_off_is_completed_and_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        joined = await api.enter("team", record="record-from-start")
        await api.settle()
        recorder = api.mixers.recorders[-1]
        recorder.holds_back = True
        config = recorder.config
    left = Recorder(tmp_path / "recordings", config, lambda: config.started_unix_s)
    record(left, range(100))
    left.sync(3.0)
    left._close()
    async with serving(tmp_path) as api:

        async def is_told() -> bool:
            return (await row(api, config.recording_id)).final

        await until(is_told)
        recording = await api.get(f"/v1/recordings/{config.recording_id}")
        assert (recording["status"], recording["duration_s"]) == ("completed", 2.0)
        events = (await api.get(f"/v1/conferences/{joined['conference_id']}/events"))["events"]
        params = events[-1]["params"]
        assert (params["status"], params["recording_status"], params["recovered"]) == ("record-stop", "completed", True)
        assert (await api.request("GET", f"/v1/recordings/{config.recording_id}/audio")).status_code == 200


async def test_a_recording_of_which_nothing_is_left_ends_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.recordings.recovery.FIRST_PAUSE_S", 0.01)
    async with serving(tmp_path) as api:
        joined = await api.enter("team", record="record-from-start")
        await api.settle()
        api.mixers.recorders[-1].holds_back = True
    async with serving(tmp_path) as api:
        (recording_id,) = (await api.get(f"/v1/conferences/{joined['conference_id']}"))["recording_ids"]

        async def is_told() -> bool:
            return (await row(api, recording_id)).final

        await until(is_told)
        assert (await api.get(f"/v1/recordings/{recording_id}"))["status"] == "failed"
        assert (await row(api, recording_id)).reason == "lost"
        await api.refused("GET", f"/v1/recordings/{recording_id}/audio", None, 404, "not_found")


async def test_a_folder_that_cannot_be_had_keeps_no_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("no folder")
    async with serving(tmp_path) as api:
        await api.enter("team")
        assert (await api.get("/v1/conferences/team"))["status"] == "in-progress"


async def test_who_fetches_one_file_at_a_time_waits_for_the_same_child(tmp_path: Path, place: Path) -> None:
    async with serving(tmp_path / "data", recordings_url=f"file://{place}") as api:
        recording = await recorded(api)
        await copied(api, recording)
        api.service.context.store.shelf.folder.delete(recording["recording_id"])
        path = f"/v1/recordings/{recording['recording_id']}/audio"
        answers = await asyncio.gather(*(api.request("GET", path) for _ in range(4)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.content for answer in answers}) == 1
