"""Recordings through the service: what joins and requests start, what ends them, and what is told of each."""

from pathlib import Path
from typing import Any

import pytest

from recording.catalog import folder_name
from tests.support.api import EMPTY, Api
from tests.support.fake_recorders import FakeRecorder

HOOK = "https://example.org/recordings"
EVERY = "in-progress completed absent failed"


async def recorded(api: Api, **fields: Any) -> tuple[str, str]:
    """Begin a conference with a recording; return its id and the first call's."""
    joined = await api.enter("team", record="record-from-start", **fields)
    await api.settle()
    return joined["conference_id"], joined["call_id"]


def recorder(api: Api) -> FakeRecorder:
    return api.mixers.recorders[-1]


async def last(api: Api, conference_id: str) -> dict[str, Any]:
    events = (await api.get(f"/v1/conferences/{conference_id}/events"))["events"]
    params: dict[str, Any] = events[-1]["params"]
    return params


async def test_a_join_has_the_conference_recorded_to_its_end(api: Api) -> None:
    conference_id, call_id = await recorded(api, label="anna")
    assert api.mixer_of(conference_id).recording == recorder(api).config.recording_id
    await api.delete(f"/v1/conferences/{conference_id}/participants/{call_id}")
    await api.settle()
    assert await api.statuses(conference_id) == [
        "participant-join", "conference-start", "record-start", "participant-leave", "conference-end", "record-stop",
    ]  # fmt: skip
    assert recorder(api).reasons == ["conference_ended"]
    assert [(note.kind, note.label) for note in recorder(api).notes] == [("joined", "anna")]
    params = await last(api, conference_id)
    assert (params["recording_status"], params["recording_duration"]) == ("completed", 2.0)
    assert api.footprint == EMPTY


async def test_the_end_tells_of_the_recording_when_its_files_are_done_in_time(api: Api) -> None:
    conference_id, _ = await recorded(api)
    await api.post(f"/v1/conferences/{conference_id}/end")
    events = (await api.get(f"/v1/conferences/{conference_id}/events"))["events"]
    end, stop = events[-2]["params"], events[-1]["params"]
    assert (end["status"], stop["status"]) == ("conference-end", "record-stop")
    assert end["recording_file_size"] == stop["recording_file_size"] > 32_000
    assert end["recording_url"] == f"http://127.0.0.1:8080/v1/recordings/{recorder(api).config.recording_id}/audio"


async def ended_before_its_recording(api: Api, monkeypatch: pytest.MonkeyPatch) -> str:
    """A conference that has ended, and whose recorder is not done yet; its id."""
    monkeypatch.setattr("server.service_recorders.RESULT_WITHIN_S", 0.01)
    conference_id, _ = await recorded(api)
    recorder(api).holds_back = True
    await api.post(f"/v1/conferences/{conference_id}/end")
    return conference_id


async def test_a_recording_that_takes_long_to_finish_does_not_hold_up_the_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conference_id = await ended_before_its_recording(api, monkeypatch)
    end = await last(api, conference_id)
    assert end["status"] == "conference-end"
    assert "recording_file_size" not in end
    recorder(api).publish()
    await api.settle()
    assert (await last(api, conference_id))["status"] == "record-stop"
    assert api.footprint == EMPTY


async def test_who_wants_to_know_of_recordings_is_told(api: Api) -> None:
    conference_id, _ = await recorded(
        api, recording_status_callback=HOOK, recording_status_callback_event=EVERY, status_callback=f"{HOOK}/other"
    )
    await api.post(f"/v1/conferences/{conference_id}/end")
    await api.delivered(4)
    told = [request.json["params"]["status"] for request in api.receiver.requests if "other" not in request.url]
    assert told == ["record-start", "record-stop"]


async def test_pausing_resuming_and_stopping_reach_the_mixer(api: Api) -> None:
    conference_id = (await api.enter("team"))["conference_id"]
    recording = await api.post(f"/v1/conferences/{conference_id}/recordings", {"tracks": True}, 201)
    path = f"/v1/recordings/{recording['recording_id']}"
    assert api.mixer_of(conference_id).records_tracks
    assert (await api.patch(path, {"status": "paused", "pause_behavior": "skip"}))["status"] == "paused"
    assert (await api.patch(path, {"status": "in-progress"}))["status"] == "in-progress"
    assert (await api.patch(path, {"status": "stopped"}))["status"] == "processing"
    await api.settle()
    commands = [command for command, what in api.mixer_of(conference_id).log if what == recording["recording_id"]]
    assert commands == ["start_recording", "pause_recording", "resume_recording", "stop_recording"]
    assert (await api.get(path))["status"] == "completed"
    again = await api.post(f"/v1/conferences/{conference_id}/recordings", None, 201)
    assert again["recording_id"] != recording["recording_id"]


async def test_the_recorder_is_told_who_comes_and_what_becomes_of_each(api: Api) -> None:
    conference_id, anna = await recorded(api)
    ben = (await api.enter("team", 40002, label="ben", muted=True))["call_id"]
    path = f"/v1/conferences/{conference_id}/participants"
    await api.patch(f"{path}/{ben}", {"muted": False, "hold": True})
    await api.patch(f"{path}/{ben}", {"hold": False, "coach": anna})
    await api.patch(f"{path}/{ben}", {"coaching": False})
    await api.delete(f"{path}/{ben}")
    await api.settle()
    assert [note.kind for note in recorder(api).notes if note.call_id == ben] == [
        "joined", "muted", "unmuted", "held", "unheld", "coaching", "uncoached", "left",
    ]  # fmt: skip


async def test_a_recorder_that_dies_is_replaced_and_the_recording_goes_on(api: Api) -> None:
    conference_id, _ = await recorded(api)
    first = recorder(api)
    first.die()
    await api.settle()
    assert recorder(api) is not first
    assert recorder(api).config == first.config
    await api.post(f"/v1/conferences/{conference_id}/end")
    await api.settle()
    assert (await last(api, conference_id))["recording_status"] == "completed"


async def test_after_three_deaths_what_there_is_is_kept_and_the_conference_goes_on(api: Api) -> None:
    conference_id, _ = await recorded(api)
    for _ in range(3):
        recorder(api).die()
        await api.settle()
    assert len(api.mixers.recorders) == 3
    params = await last(api, conference_id)
    assert (params["status"], params["recording_status"]) == ("record-stop", "failed")
    assert (await api.get("/v1/conferences/team"))["status"] == "in-progress"
    assert api.mixer_of(conference_id).recording is None


async def test_a_full_disk_ends_the_recording_and_not_the_conference(api: Api) -> None:
    conference_id, _ = await recorded(api)
    recorder(api).fail()
    await api.settle()
    assert recorder(api).reasons == ["disk_full"]
    assert (await last(api, conference_id))["status"] == "record-stop"
    assert (await api.get("/v1/conferences/team"))["status"] == "in-progress"


@pytest.mark.parametrize("what", ["mixer", "recorder"])
async def test_a_recording_that_cannot_begin_fails_and_the_join_holds(api: Api, what: str) -> None:
    if what == "mixer":
        api.mixers.prepare = lambda mixer: setattr(mixer, "refuse_recordings", True)
    else:
        api.mixers.fail_recorders = True
    conference_id, _ = await recorded(api)
    await api.settle()
    params = await last(api, conference_id)
    assert (params["status"], params["recording_status"]) == ("record-stop", "failed")
    assert (await api.get("/v1/conferences/team"))["size"] == 1


async def test_a_dead_mixer_ends_the_recording_with_its_conference(api: Api) -> None:
    conference_id, _ = await recorded(api)
    api.mixer_of(conference_id).die()
    await api.settle()
    assert (await api.statuses(conference_id))[-2:] == ["conference-end", "record-stop"]
    assert recorder(api).reasons == ["conference_ended"]


async def test_what_was_asked_for_and_never_began_is_absent(api: Api) -> None:
    joined = await api.enter("team", record="record-from-start", min_participants_to_start=2)
    await api.post(f"/v1/conferences/{joined['conference_id']}/end")
    await api.settle()
    params = await last(api, joined["conference_id"])
    assert (params["status"], params["recording_status"]) == ("record-stop", "absent")
    assert api.mixers.recorders == []


async def test_a_recording_whose_conference_is_forgotten_meanwhile_comes_to_its_end(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    conference_id = await ended_before_its_recording(api, monkeypatch)
    journal, recording_id = api.service.context.journal, recorder(api).config.recording_id
    assert await journal.prune(api.clock.now() + 1, 10) == 1
    recorder(api).publish()
    await api.settle()
    body = await api.get(f"/v1/recordings/{recording_id}")
    assert (body["status"], body["duration_s"]) == ("completed", 2.0)
    assert body["byte_size"] > 32_000
    assert await journal.unfinished_recordings() == []
    await api.get(f"/v1/conferences/{conference_id}", 404)


async def test_files_have_the_name_of_the_recording_alone(api: Api, tmp_path: Path) -> None:
    joined = await api.join(await api.call(), "../../etc", record="record-from-start")
    await api.settle()
    await api.post(f"/v1/conferences/{joined['conference_id']}/end")
    await api.settle()
    names = {path.name for path in (tmp_path / "recordings").iterdir()}
    assert names == {folder_name(recorder(api).config.recording_id)}
