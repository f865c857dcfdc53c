"""Announcements from the request to their last event."""

from typing import Any, cast

import pytest

from server.conference.model import MAX_ANNOUNCEMENTS
from tests.server.test_service import BrokenJournal
from tests.support.api import EMPTY, Api, Json
from tests.support.fake_mixers import FakeMixer

PATH = "/v1/conferences/x/announcements"
ONE, TWO = "https://example.org/one.wav", "https://example.org/two.wav"


async def room(api: Api, *ports: int, **fields: Any) -> tuple[list[str], FakeMixer]:
    """Let people join; return their calls and the mixer."""
    joined = [await api.enter("x", port, beep=False, **fields) for port in ports]
    await api.settle()
    return [one["call_id"] for one in joined], api.mixer_of(joined[0]["conference_id"])


async def announce(api: Api, url: str, call_id: str | None = None) -> str:
    body = {"url": url} if call_id is None else {"url": url, "call_id": call_id}
    answer = await api.post(PATH, body, 201)
    assert answer.keys() == {"announcement_id"}
    await api.settle()
    return cast(str, answer["announcement_id"])


async def end_all(api: Api, mixer: FakeMixer) -> None:
    for play_id in list(mixer.plays):
        mixer.end_clip(play_id)
    await api.settle()


async def told(api: Api, conference: str = "x") -> list[Json]:
    """Return the params of the events about announcements."""
    events = (await api.get(f"/v1/conferences/{conference}/events"))["events"]
    return [event["params"] for event in events if event["params"]["status"].startswith("announcement")]


def playing(mixer: FakeMixer) -> list[tuple[str, str, str | None]]:
    return [(play["clip_id"], play["to"], play.get("call_id")) for play in mixer.plays.values()]


async def test_one_for_all_is_played_over_the_mix_and_its_end_is_told(api: Api) -> None:
    _, mixer = await room(api, 40000, 40002)
    announcement_id = await announce(api, ONE)
    assert playing(mixer) == [(ONE, "mix", None)]
    (play,) = mixer.plays.values()
    assert play["duck"] is True
    assert play["rates"] == {8000, 16000, 24000, 48000}, "whoever comes meanwhile hears it too"
    assert await told(api) == []
    await end_all(api, mixer)
    (end,) = await told(api)
    assert (end["status"], end["announcement_id"], end["announce_url"]) == ("announcement-end", announcement_id, ONE)
    assert mixer.clips == {} and api.prompts.in_use == []


async def test_those_for_one_target_are_played_in_order_and_targets_do_not_wait_for_each_other(api: Api) -> None:
    (anna, _), mixer = await room(api, 40000, 40002)
    first = await announce(api, ONE)
    second = await announce(api, TWO)
    private = await announce(api, TWO, anna)
    assert playing(mixer) == [(ONE, "mix", None), (TWO, "call", anna)]
    await end_all(api, mixer)
    assert playing(mixer) == [(TWO, "mix", None)]
    await end_all(api, mixer)
    assert {end["announcement_id"] for end in (await told(api))[:2]} == {first, private}
    assert (await told(api))[-1]["announcement_id"] == second
    assert mixer.plays == {}


async def test_one_that_cannot_be_had_fails_and_the_next_one_is_played(api: Api) -> None:
    _, mixer = await room(api, 40000)
    api.prompts.broken[ONE] = "prompt_fetch_failed"
    failed = await announce(api, ONE)
    await announce(api, TWO)
    (fail,) = await told(api)
    assert (fail["status"], fail["announcement_id"]) == ("announcement-fail", failed)
    assert fail["reason_announcement_failed"] == "prompt_fetch_failed"
    assert playing(mixer) == [(TWO, "mix", None)]


async def test_one_that_the_mixer_refuses_fails(api: Api) -> None:
    _, mixer = await room(api, 40000)
    mixer.refuse_plays = True
    await announce(api, ONE)
    assert [fail["reason_announcement_failed"] for fail in await told(api)] == ["mixer_refused"]
    assert mixer.clips == {} and len(api.service.context.tasks) == 0


async def test_before_the_start_it_is_for_all_who_wait(api: Api) -> None:
    waiting, mixer = await room(api, 40000, 40002, start_on_enter=False)
    await announce(api, ONE)
    assert playing(mixer) == [(ONE, "everyone", None)]
    assert mixer.programs.keys() == set(waiting), "their music goes on afterwards"


async def test_before_the_start_who_is_held_does_not_hear_it(api: Api) -> None:
    (held, one, two), mixer = await room(api, 40000, 40002, 40004, start_on_enter=False)
    await api.patch(f"/v1/conferences/x/participants/{held}", {"hold": True})
    await announce(api, ONE)
    assert playing(mixer) == [(ONE, "call", one), (ONE, "call", two)]
    mixer.end_clip(next(iter(mixer.plays)))
    await api.settle()
    assert await told(api) == []
    await end_all(api, mixer)
    assert [end["status"] for end in await told(api)] == ["announcement-end"]


async def test_one_for_a_participant_fails_when_that_one_leaves_and_stops_playing(api: Api) -> None:
    standing = await api.call(40000)
    joined = await api.join(standing, "x", beep=False)
    await room(api, 40002)
    mixer = api.mixer_of(joined["conference_id"])
    await announce(api, ONE, standing)
    await announce(api, TWO, standing)
    await api.post(f"/v1/calls/{standing}/leave_conference", {"conference_id": "x"})
    await api.settle()
    assert [(fail["announce_url"], fail["reason_announcement_failed"]) for fail in await told(api)] == [
        (ONE, "participant_left"),
        (TWO, "participant_left"),
    ]
    assert mixer.plays == {} and mixer.clips == {} and api.prompts.in_use == []


async def test_the_end_of_the_conference_fails_what_is_left(api: Api) -> None:
    _, mixer = await room(api, 40000)
    conference_id = mixer.name
    await announce(api, ONE)
    api.prompts.hanging.add(TWO)
    await announce(api, TWO)
    await api.post("/v1/conferences/x/end")
    await api.settle()
    assert [fail["reason_announcement_failed"] for fail in await told(api, conference_id)] == ["conference_ended"] * 2
    assert (await api.statuses(conference_id))[-1] == "conference-end"
    assert len(api.service.context.tasks) == 0 and api.prompts.in_use == [] and api.footprint == EMPTY
    await api.refused("POST", f"/v1/conferences/{conference_id}/announcements", {"url": ONE}, 409, "conference_ended")


async def test_a_dead_mixer_fails_them_too(api: Api) -> None:
    _, mixer = await room(api, 40000)
    await announce(api, ONE)
    mixer.die()
    await api.settle()
    assert [fail["status"] for fail in await told(api, mixer.name)] == ["announcement-fail"]
    assert len(api.service.context.tasks) == 0 and api.prompts.in_use == []


async def test_a_url_that_never_answers_delays_neither_the_answer_nor_others(api: Api) -> None:
    (anna,), mixer = await room(api, 40000)
    api.prompts.hanging.add(ONE)
    await announce(api, ONE)
    await announce(api, TWO, anna)
    assert playing(mixer) == [(TWO, "call", anna)]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"url": ""}, 422, "invalid_request"),
        ({"url": "a.wav"}, 422, "url_invalid"),
        ({"url": ONE, "call_id": "nobody"}, 409, "not_in_conference"),
        ({"url": ONE, "loop": True}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_announced_is_refused_and_changes_nothing(
    api: Api, body: Json, status: int, code: str
) -> None:
    _, mixer = await room(api, 40000)
    await api.refused("POST", PATH, body, status, code)
    await api.settle()
    assert mixer.played == [] and await told(api) == []
    await api.refused("POST", "/v1/conferences/none/announcements", {"url": ONE}, 404, "not_found")


async def test_so_many_may_wait_and_no_more(api: Api) -> None:
    await room(api, 40000)
    for _ in range(MAX_ANNOUNCEMENTS):
        await api.post(PATH, {"url": ONE}, 201)
    await api.refused("POST", PATH, {"url": ONE}, 409, "too_many_announcements")


async def test_the_same_key_announces_once(api: Api) -> None:
    _, mixer = await room(api, 40000)
    answers = [await api.post(PATH, {"url": ONE}, 201, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    await api.settle()
    assert answers[0] == answers[1] and len(mixer.played) == 1


async def test_an_end_that_cannot_be_written_is_written_later_and_the_queue_goes_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.service_retry.RETRY_S", 0.0)
    _, mixer = await room(api, 40000)
    await announce(api, ONE)
    await announce(api, TWO)
    journal = BrokenJournal(api)
    mixer.end_clip(next(iter(mixer.plays)))
    await api.get("/v1/calls")
    assert mixer.plays == {}
    journal.mend()
    await api.settle()
    assert [end["status"] for end in await told(api)] == ["announcement-end"]
    assert playing(mixer) == [(TWO, "mix", None)]
