"""Recordings over the API: starting, steering, reading, downloading in every format, deleting."""

import hashlib
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio

from recording.catalog import folder_name
from tests.support.api import Api, Json, serving
from tests.support.fake_recorders import FakeRecorder

LINKS = "http://127.0.0.1:8080"
FIELDS = {
    "recording_id", "conference_id", "status", "started_at", "duration_s", "channels", "sample_rate", "byte_size",
    "sha256", "trim", "url", "tracks",
}  # fmt: skip


def recorder(api: Api) -> FakeRecorder:
    return api.mixers.recorders[-1]


async def begun(api: Api, name: str = "team", **body: Any) -> Json:
    """Record a conference; return RECORDING."""
    await api.enter(name)
    recording = await api.post(f"/v1/conferences/{name}/recordings", body, 201)
    await api.settle()
    return recording


async def stop(api: Api, recording: Json) -> Json:
    """Stop a recording and return it when its files are done."""
    path = f"/v1/recordings/{recording['recording_id']}"
    assert (await api.patch(path, {"status": "stopped"}))["recording_id"] == recording["recording_id"]
    await api.settle()
    return await api.get(path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def done(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Api, Json]]:
    """A server with a recording of two voices, for tests that only read."""
    async with serving(tmp_path_factory.mktemp("done")) as api:
        recording = await begun(api, trim="do-not-trim", tracks=True)
        recorder(api).voices += ["anna", "ben/2"]
        yield api, await stop(api, recording)


pytestmark = pytest.mark.asyncio(loop_scope="module")


def audio(recording: Json, what: str = "audio") -> str:
    return f"/v1/recordings/{recording['recording_id']}/{what}"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_recording_is_shown_from_start_to_end(api: Api) -> None:
    recording = await begun(api, trim="do-not-trim")
    recording_id = recording["recording_id"]
    assert recording.keys() == FIELDS
    assert (recording["status"], recording["channels"], recording["trim"]) == ("in-progress", 1, "do-not-trim")
    assert recording["url"] == f"{LINKS}/v1/recordings/{recording_id}/audio"
    assert recording["sha256"] is recording["byte_size"] is recording["sample_rate"] is None
    api.clock.pass_s(12.5)
    path = f"/v1/recordings/{recording_id}"
    assert (await api.get(path))["duration_s"] == 12.5
    paused = await api.patch(path, {"status": "paused", "pause_behavior": "skip"})
    assert paused["status"] == "paused"
    api.clock.pass_s(100)
    assert (await api.get(path))["duration_s"] == 12.5
    assert (await api.patch(path, {"status": "in-progress"}))["status"] == "in-progress"
    recorder(api).holds_back = True
    assert (await api.patch(path, {"status": "stopped"}))["status"] == "processing"
    assert (await api.get(path))["status"] == "processing"
    await api.refused("GET", f"{path}/audio", None, 409, "recording_not_ready")
    await api.refused("GET", f"{path}/manifest", None, 409, "recording_not_ready")
    await api.refused("DELETE", path, None, 409, "recording_in_progress")
    await api.refused("PATCH", path, {"status": "paused"}, 409, "recording_ended")
    recorder(api).publish()
    await api.settle()
    over = await api.get(path)
    assert over.keys() == FIELDS
    assert (over["status"], over["duration_s"], over["sample_rate"]) == ("completed", 2.0, 8000)
    assert over["tracks"] == []
    assert (await api.get("/v1/recordings"))["recordings"] == [over]


@pytest.mark.asyncio(loop_scope="function")
async def test_only_a_conference_in_progress_is_recorded_and_once_at_a_time(api: Api) -> None:
    await api.refused("POST", "/v1/conferences/nobody/recordings", {}, 404, "not_found")
    await api.enter("waiting", start_on_enter=False)
    await api.refused("POST", "/v1/conferences/waiting/recordings", {}, 409, "conference_not_started")
    await begun(api)
    await api.refused("POST", "/v1/conferences/team/recordings", {}, 409, "recording_in_progress")
    conference_id = (await api.get("/v1/conferences/team"))["conference_id"]
    await api.post("/v1/conferences/team/end")
    await api.refused("POST", f"/v1/conferences/{conference_id}/recordings", {}, 409, "conference_ended")


@pytest.mark.asyncio(loop_scope="function")
async def test_no_body_records_as_usual(api: Api) -> None:
    await api.enter("team")
    recording = await api.post("/v1/conferences/team/recordings", None, 201)
    assert recording["trim"] == "trim-silence"
    await api.settle()
    assert not recorder(api).config.tracks


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize(
    "body",
    [
        {"status": "completed"},
        {"status": "stopped", "pause_behavior": "skip"},
        {"status": "paused", "pause_behavior": "loud"},
        {},
        {"status": "paused", "why": "lunch"},
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, body: Json) -> None:
    recording = await begun(api)
    await api.refused("PATCH", f"/v1/recordings/{recording['recording_id']}", body, 422, "invalid_request")


@pytest.mark.asyncio(loop_scope="function")
async def test_a_recording_goes_with_its_conference_and_stays_after_it(api: Api) -> None:
    recording = await begun(api)
    conference = await api.post("/v1/conferences/team/end")
    await api.settle()
    path = f"/v1/recordings/{recording['recording_id']}"
    assert (await api.get(path))["status"] == "completed"
    await api.refused("PATCH", path, {"status": "stopped"}, 409, "recording_ended")
    (listed,) = (await api.get("/v1/conferences?status=completed"))["conferences"]
    assert listed["recording_ids"] == [recording["recording_id"]]
    of_conference = await api.get(f"/v1/recordings?conference_id={conference['conference_id']}")
    assert [found["recording_id"] for found in of_conference["recordings"]] == listed["recording_ids"]
    assert (await api.get("/v1/recordings?conference_id=another"))["recordings"] == []


@pytest.mark.asyncio(loop_scope="function")
async def test_lists_come_page_by_page(api: Api) -> None:
    ids = []
    for _ in range(3):
        recording = await begun(api)
        ids.insert(0, recording["recording_id"])
        await api.post("/v1/conferences/team/end")
        await api.settle()
        api.clock.pass_s(1)
    first = (await api.get("/v1/recordings?limit=2"))["recordings"]
    rest = (await api.get(f"/v1/recordings?limit=2&before={ids[1]}"))["recordings"]
    assert [recording["recording_id"] for recording in first + rest] == ids
    await api.refused("GET", "/v1/recordings?before=unknown", None, 422, "invalid_request")


@pytest.mark.asyncio(loop_scope="function")
async def test_silence_is_absent(api: Api) -> None:
    recording = await begun(api)
    recorder(api).ticks = 0
    over = await stop(api, recording)
    assert (over["status"], over["url"], over["byte_size"]) == ("absent", None, None)
    for ending in ("", ".wav", ".mp3"):
        await api.refused("GET", audio(recording) + ending, None, 404, "not_found")
    assert (await api.get(audio(recording, "manifest")))["status"] == "absent"


@pytest.mark.asyncio(loop_scope="function")
async def test_a_recording_without_files_can_be_read_and_deleted(api: Api) -> None:
    await api.enter("team", start_on_enter=False, record="record-from-start")
    conference = await api.post("/v1/conferences/team/end")
    (recording_id,) = conference["recording_ids"]
    path = f"/v1/recordings/{recording_id}"
    assert (await api.get(path))["status"] == "absent"
    await api.refused("GET", f"{path}/audio", None, 404, "not_found")
    await api.delete(path)
    await api.refused("GET", path, None, 404, "not_found")


@pytest.mark.asyncio(loop_scope="function")
async def test_a_deleted_recording_leaves_nothing(api: Api, tmp_path: Path) -> None:
    recording = await stop(api, await begun(api))
    folder = tmp_path / "recordings" / folder_name(recording["recording_id"])
    assert (await api.request("GET", audio(recording) + ".flac")).status_code == 200
    assert {path.name for path in folder.iterdir()} >= {"audio.wav", "manifest.json", "cache"}
    await api.delete(f"/v1/recordings/{recording['recording_id']}")
    assert list(folder.parent.iterdir()) == []
    for what in ("", "/audio", "/audio.flac", "/manifest"):
        await api.refused("GET", f"/v1/recordings/{recording['recording_id']}{what}", None, 404, "not_found")
    await api.refused("DELETE", f"/v1/recordings/{recording['recording_id']}", None, 404, "not_found")
    assert (await api.get("/v1/recordings"))["recordings"] == []


@pytest.mark.asyncio(loop_scope="function")
async def test_a_project_sees_its_own_recordings_only(tmp_path: Path) -> None:
    async with serving(tmp_path, dev=False, api_keys="one:secret-of-one,two:secret-of-two") as api:
        api.http.headers["Authorization"] = "Bearer one:secret-of-one"
        recording = await stop(api, await begun(api, tracks=True))
        path = f"/v1/recordings/{recording['recording_id']}"
        api.http.headers["Authorization"] = "Bearer two:secret-of-two"
        for what in ("", "/audio", "/audio.mp3", "/manifest", "/tracks/anna/audio.flac"):
            await api.refused("GET", path + what, None, 404, "not_found")
        await api.refused("PATCH", path, {"status": "stopped"}, 404, "not_found")
        await api.refused("DELETE", path, None, 404, "not_found")
        assert (await api.get("/v1/recordings"))["recordings"] == []
        await api.refused("GET", f"/v1/recordings?before={recording['recording_id']}", None, 422, "invalid_request")
        del api.http.headers["Authorization"]
        await api.refused("GET", f"{path}/audio", None, 401, "unauthorized")


@pytest.mark.parametrize("name", ["5f6e2a1c-0b8d-4e39-9c47-2d1a7f3b8e60", "no-uuid", "..", "rec_%2e%2e%2fparley.db"])
async def test_what_is_not_there_is_unknown(done: tuple[Api, Json], name: str) -> None:
    api, _ = done
    for what in ("", "/audio", "/audio.ogg", "/manifest"):
        response = await api.request("GET", f"/v1/recordings/{name}{what}")
        assert response.status_code == 404


async def test_hash_and_size_are_of_what_the_url_returns(done: tuple[Api, Json]) -> None:
    api, recording = done
    response = await api.request("GET", recording["url"].removeprefix(LINKS))
    assert response.status_code == 200
    assert response.headers["content-type"] == "audio/wav"
    assert response.headers["etag"] == f'"{recording["sha256"]}"'
    assert recording["recording_id"] in response.headers["content-disposition"]
    assert len(response.content) == recording["byte_size"]
    assert hashlib.sha256(response.content).hexdigest() == recording["sha256"]
    with wave.open(io.BytesIO(response.content)) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (1, 8000, 16_000)
    assert (await api.request("GET", audio(recording) + ".wav")).content == response.content


async def test_each_voice_is_a_file_of_its_own(done: tuple[Api, Json]) -> None:
    api, recording = done
    assert [track["call_id"] for track in recording["tracks"]] == ["anna", "ben/2"]
    track = recording["tracks"][0]
    response = await api.request("GET", track["url"].removeprefix(LINKS))
    assert response.headers["content-type"] == "audio/flac"
    assert (len(response.content), hashlib.sha256(response.content).hexdigest()) == (
        track["byte_size"],
        track["sha256"],
    )
    await api.refused("GET", audio(recording, "tracks/nobody/audio.flac"), None, 404, "not_found")


@pytest.mark.parametrize(
    ("form", "codec", "rate"), [("flac", "flac", 8000), ("ogg", "opus", 48_000), ("mp3", "mp3float", 8000)]
)
async def test_other_formats_are_made_when_asked_for(done: tuple[Api, Json], form: str, codec: str, rate: int) -> None:
    api, recording = done
    response = await api.request("GET", f"{audio(recording)}.{form}")
    assert response.status_code == 200
    with av.open(io.BytesIO(response.content)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == (codec, rate, 1)
    again = await api.request("GET", f"{audio(recording)}.{form}", headers={"Range": "bytes=0-9"})
    assert (again.status_code, again.content) == (206, response.content[:10])
    assert again.headers["etag"] == response.headers["etag"]


@pytest.mark.parametrize("query", ["channels=2", "channels=2&left=anna"])
async def test_one_participant_left_and_all_others_right(done: tuple[Api, Json], query: str) -> None:
    api, recording = done
    response = await api.request("GET", f"{audio(recording)}.wav?{query}")
    with wave.open(io.BytesIO(response.content)) as sound:
        assert (sound.getnchannels(), sound.getnframes()) == (2, 16_000)


async def test_views_that_cannot_be_are_refused(done: tuple[Api, Json]) -> None:
    api, recording = done
    await api.refused("GET", f"{audio(recording)}.wav?channels=2&left=nobody", None, 404, "not_found")
    await api.refused("GET", f"{audio(recording)}.wav?left=anna", None, 422, "invalid_request")
    await api.refused("GET", f"{audio(recording)}.wav?channels=3", None, 422, "invalid_request")
    await api.refused("GET", f"{audio(recording)}.aiff", None, 422, "invalid_request")


@pytest.mark.asyncio(loop_scope="function")
async def test_two_channels_need_tracks(api: Api) -> None:
    recording = await stop(api, await begun(api))
    for query in ("channels=2", "channels=2&left=anna"):
        await api.refused("GET", f"{audio(recording)}?{query}", None, 409, "tracks_not_recorded")


async def test_the_manifest_names_the_recording_its_calls_and_hashes(done: tuple[Api, Json]) -> None:
    api, recording = done
    manifest = await api.get(audio(recording, "manifest"))
    assert manifest["recording_id"] == recording["recording_id"]
    assert manifest["files"]["audio"]["sha256"] == recording["sha256"]
    assert [track["sha256"] for track in manifest["files"]["tracks"]] == [
        track["sha256"] for track in recording["tracks"]
    ]


async def test_head_tells_of_the_audio_without_it(done: tuple[Api, Json]) -> None:
    api, recording = done
    response = await api.request("HEAD", audio(recording))
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == str(recording["byte_size"])
    assert response.headers["accept-ranges"] == "bytes"
