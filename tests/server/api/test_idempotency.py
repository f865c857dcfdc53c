"""Idempotency-Key: the first answer again, and nothing changed."""

import asyncio
from pathlib import Path

from server.journal import JournalUnavailable
from tests.support.api import EMPTY, RTP, Api, serving

BODY = {"media": {"rtp": RTP}}


def key(name: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": name}}


async def test_the_same_request_again_gets_the_first_answer(api: Api) -> None:
    first = await api.request("POST", "/v1/calls", BODY, **key("a"))
    again = await api.request("POST", "/v1/calls", BODY, **key("a"))
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert api.footprint == (1, 0, 1, 1)


async def test_white_space_and_order_make_no_other_body(api: Api) -> None:
    json_type = {"content-type": "application/json", "Idempotency-Key": "a"}
    one = b'{"media":{"rtp":{"codec":"pcmu","ip":"127.0.0.1","port":40000}},"label":"x"}'
    two = b'{ "label": "x", "media": {"rtp": {"port": 40000, "ip": "127.0.0.1", "codec": "pcmu"}} }'
    first = await api.request("POST", "/v1/calls", content=one, headers=json_type)
    assert (await api.request("POST", "/v1/calls", content=two, headers=json_type)).content == first.content


async def test_another_body_under_the_same_key_is_refused(api: Api) -> None:
    await api.request("POST", "/v1/calls", BODY, **key("a"))
    other = {"media": {"rtp": {**RTP, "port": 40002}}}
    await api.refused("POST", "/v1/calls", other, 422, "idempotency_key_reused", **key("a"))
    assert api.footprint == (1, 0, 1, 1)


async def test_keys_count_within_their_path(api: Api) -> None:
    call_id = (await api.post("/v1/calls", BODY, 201, **key("a")))["call_id"]
    joined = await api.post(f"/v1/calls/{call_id}/join_conference", {"name": "x"}, **key("a"))
    path = f"/v1/calls/{call_id}/leave_conference"
    leave = {"conference_id": joined["conference_id"]}
    first = await api.post(path, leave, **key("b"))
    assert await api.post(path, leave, **key("b")) == first
    await api.refused("POST", path, leave, 409, "conference_ended", **key("c"))


async def test_keys_count_within_their_project(tmp_path: Path) -> None:
    async with serving(tmp_path, dev=False, api_keys="a:secret-of-a,b:secret-of-b", media_ip="127.0.0.1") as api:
        headers = [{"Authorization": f"Bearer {n}:secret-of-{n}", "Idempotency-Key": "k"} for n in "ab"]
        one, two = [await api.post("/v1/calls", BODY, 201, headers=each) for each in headers]
        assert one["call_id"] != two["call_id"]


async def test_duplicates_at_the_same_time_wait_for_the_first(api: Api) -> None:
    path = "/v1/conferences/x/participants"
    answers = await asyncio.gather(*(api.request("POST", path, BODY, **key("a")) for _ in range(6)))
    assert len({answer.content for answer in answers}) == 1
    assert api.footprint == (1, 1, 1, 2)


async def test_a_refusal_by_the_state_is_remembered_too(api: Api) -> None:
    path = "/v1/conferences/x/participants"
    body = {**BODY, "coach": "nobody"}
    first = await api.request("POST", path, body, **key("a"))
    again = await api.request("POST", path, body, **key("a"))
    assert (first.status_code, again.content) == (409, first.content)
    assert again.headers["content-type"] == "application/problem+json"


async def test_what_could_not_be_taken_may_be_tried_again_under_the_same_key(api: Api) -> None:
    await api.refused("POST", "/v1/calls", {"media": {}}, 422, "invalid_request", **key("a"))
    api.mixers.lobby.refuse_legs = True
    await api.refused("POST", "/v1/calls", BODY, 503, "mixer_unavailable", **key("a"))
    api.mixers.lobby.refuse_legs = False
    await api.post("/v1/calls", BODY, 201, **key("a"))


async def test_ending_twice_under_one_key_ends_once(api: Api) -> None:
    joined = await api.enter("x")
    path = f"/v1/conferences/{joined['conference_id']}/end"
    first = await api.post(path, **key("a"))
    assert await api.post(path, **key("a")) == first
    assert api.footprint == EMPTY


async def test_an_answer_is_forgotten_after_a_day(api: Api) -> None:
    first = await api.post("/v1/calls", BODY, 201, **key("a"))
    api.clock.pass_s(25 * 3600)
    assert (await api.post("/v1/calls", BODY, 201, **key("a")))["call_id"] != first["call_id"]


async def test_a_bad_key_is_refused(api: Api) -> None:
    for bad in ("", "x" * 256, "a\tb"):
        await api.refused("POST", "/v1/calls", BODY, 422, "invalid_request", **key(bad))
    assert api.footprint == EMPTY


async def test_without_a_journal_nothing_is_done_twice_by_mistake(api: Api) -> None:
    async def fail(*_args: object) -> None:
        raise JournalUnavailable("the test wants it so")

    api.service.context.journal.recall = fail  # type: ignore[method-assign,assignment]
    await api.refused("POST", "/v1/calls", BODY, 503, "journal_unavailable", **key("a"))
    assert api.footprint == EMPTY
