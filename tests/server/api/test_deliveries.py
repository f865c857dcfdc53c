"""What became of webhooks, and having events sent again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from server.api.deliveries import without_credentials
from server.journal import JournalUnavailable
from tests.support.api import Api, serving

Json = dict[str, Any]
URL = "https://anna:secret@hooks.example/parley?team=red#rc=1"
SHOWN = "https://***@hooks.example/parley?team=red#rc=1"
EVERYTHING: Json = {"status_callback": URL, "status_callback_event": "start end join leave"}
LIST = "/v1/webhook-deliveries"


async def sent(api: Api) -> None:
    """Wait until everything that is due has been tried."""
    for _ in range(1000):
        if not api.service.context.webhooks.backlog:
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the sender does not come to rest")


async def deliveries(api: Api, query: str = "") -> list[Json]:
    await sent(api)
    found: list[Json] = (await api.get(LIST + query))["deliveries"]
    return found


async def replay(api: Api, reference: str, **body: Any) -> int:
    made: int = (await api.post(f"/v1/conferences/{reference}/events/replay", body, 202))["replayed"]
    await sent(api)
    return made


async def test_a_delivery_is_listed_with_all_that_came_of_it(api: Api) -> None:
    joined = await api.enter("standup", status_callback=URL, status_callback_event="start")
    events = (await api.get("/v1/conferences/standup/events"))["events"]
    (delivery,) = await deliveries(api)
    assert isinstance(delivery.pop("delivery_id"), int)
    assert delivery == {
        "conference_id": joined["conference_id"],
        "event_id": events[1]["id"],
        "sequence": 2,
        "status": "conference-start",
        "kind": "status",
        "url": SHOWN,
        "encoding": "relay",
        "method": "POST",
        "state": "delivered",
        "attempts": 1,
        "created_at": "2027-01-15T08:00:00.000Z",
        "next_attempt_at": None,
        "last_attempt_at": "2027-01-15T08:00:00.000Z",
        "delivered_at": "2027-01-15T08:00:00.000Z",
        "last_status": 204,
        "last_error": None,
    }


async def test_what_failed_says_why_and_when_it_is_tried_again(api: Api) -> None:
    api.receiver.statuses = [503]
    await api.enter("standup", **EVERYTHING, status_callback_event_type="cxml", status_callback_method="GET")
    start, join = await deliveries(api)
    assert (join["state"], join["attempts"], join["last_status"], join["last_error"]) == ("pending", 1, 503, "http_5xx")
    assert (join["encoding"], join["method"]) == ("form", "GET")
    assert join["next_attempt_at"] > join["last_attempt_at"] and join["delivered_at"] is None
    # What stands behind it in the lane has not been tried.
    assert (start["state"], start["attempts"], start["last_attempt_at"]) == ("pending", 0, None)


async def test_a_list_is_of_a_conference_or_a_state_and_comes_page_by_page(api: Api) -> None:
    first = await api.enter("standup", **EVERYTHING)
    await sent(api)
    api.receiver.statuses = [410]
    second = await api.enter("retro", port=40002, **EVERYTHING)
    whole = await deliveries(api)
    assert [delivery["status"] for delivery in whole] == ["conference-start", "participant-join"] * 2
    assert {delivery["conference_id"] for delivery in whole[:2]} == {second["conference_id"]}
    assert await deliveries(api, f"?conference_id={first['conference_id']}") == whole[2:]
    assert await deliveries(api, "?state=dead") == whole[:2]
    assert await deliveries(api, "?state=pending") == []
    assert await deliveries(api, "?limit=3") == whole[:3]
    assert await deliveries(api, f"?limit=3&before={whole[2]['delivery_id']}") == whole[3:]
    assert await deliveries(api, "?conference_id=unknown") == []


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=1001", "before=-1", "before=x"])
async def test_a_list_that_cannot_be_is_refused(api: Api, query: str) -> None:
    await api.refused("GET", f"{LIST}?{query}", None, 422, "invalid_request")


async def test_events_are_sent_again_to_the_callbacks_each_of_what_it_asked_for(api: Api) -> None:
    joined = await api.enter("standup", status_callback=URL, status_callback_event="join leave")
    await api.enter("standup", 40002)
    await api.post("/v1/conferences/standup/end")
    await sent(api)
    first_time = [request.headers["webhook-id"] for request in api.receiver.requests]
    assert api.receiver.told() == ["participant-join"] * 2 + ["participant-leave"] * 2
    assert await replay(api, joined["conference_id"], after=1) == 3
    assert api.receiver.told()[4:] == ["participant-join"] + ["participant-leave"] * 2
    assert [request.headers["webhook-id"] for request in api.receiver.requests[4:]] == first_time[1:]
    assert await replay(api, joined["conference_id"], after=1, until=3) == 1
    assert api.receiver.told()[7:] == ["participant-join"]
    again = (await deliveries(api))[:4]
    assert {delivery["kind"] for delivery in again} == {"replay"}
    assert {delivery["state"] for delivery in again} == {"delivered"}
    assert await replay(api, joined["conference_id"], after=6) == 0


async def test_a_recordings_callback_is_told_of_recordings_only(api: Api) -> None:
    joined = await api.enter("standup", recording_status_callback=URL)
    assert await replay(api, joined["conference_id"], after=0) == 0
    assert api.receiver.requests == []


async def test_every_event_can_be_sent_to_another_url(api: Api) -> None:
    joined = await api.enter("standup")
    logged = (await api.get("/v1/conferences/standup/events"))["events"]
    assert await replay(api, "standup", after=0, url="https://other.example/all") == 2
    assert [request.json for request in api.receiver.requests] == logged
    assert {request.url.partition("?")[0] for request in api.receiver.requests} == {"https://other.example/all"}
    await api.post("/v1/conferences/standup/end")
    assert await replay(api, joined["conference_id"], after=2, url="https://other.example/all") == 2


async def test_a_replay_does_not_wait_for_the_next_attempt_of_what_is_pending(api: Api) -> None:
    api.receiver.statuses = [None]
    await api.enter("standup", **EVERYTHING)
    assert {delivery["state"] for delivery in await deliveries(api)} == {"pending"}
    api.receiver.requests.clear()
    assert await replay(api, "standup", after=1) == 1
    assert api.receiver.told() == ["participant-join", "conference-start", "conference-start"]
    assert {delivery["state"] for delivery in await deliveries(api)} == {"delivered"}


async def test_the_same_request_under_one_key_sends_once(api: Api) -> None:
    await api.enter("standup", **EVERYTHING)
    await sent(api)
    path, headers = "/v1/conferences/standup/events/replay", {"Idempotency-Key": "once"}
    for _ in range(2):
        assert await api.post(path, {"after": 0}, 202, headers=headers) == {"replayed": 2}
    await sent(api)
    assert len(api.receiver.requests) == 4


async def test_without_a_callback_there_is_nobody_to_tell(api: Api) -> None:
    joined = await api.enter("standup")
    path = f"/v1/conferences/{joined['conference_id']}/events/replay"
    await api.refused("POST", path, {"after": 0}, 409, "no_callback")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ({"after": -1}, "invalid_request"),
        ({"after": "0"}, "invalid_request"),
        ({"after": 0, "until": 0}, "invalid_request"),
        ({"after": 0, "url": ""}, "invalid_request"),
        ({"after": 0, "uri": "https://other.example/"}, "invalid_request"),
        ({"after": 0, "url": "ftp://other.example/"}, "url_invalid"),
        ({"after": 0, "url": "https://other.example/#rc=many"}, "invalid_request"),
    ],
)
async def test_a_replay_that_cannot_be_is_refused(api: Api, body: Json, code: str) -> None:
    await api.enter("standup", **EVERYTHING)
    await api.refused("POST", "/v1/conferences/standup/events/replay", body, 422, code)
    await api.refused("POST", "/v1/conferences/nowhere/events/replay", {"after": 0}, 404, "not_found")


async def test_too_much_at_once_is_refused_with_the_way_to_do_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.service_events.MOST_REPLAYED", 3)
    monkeypatch.setattr("server.service_events._PORTION", 2)
    for port in range(40000, 40008, 2):
        await api.enter("standup", port)
    path, url = "/v1/conferences/standup/events/replay", "https://other.example/all"
    problem = await api.refused("POST", path, {"after": 0, "url": url}, 422, "invalid_request")
    assert problem["errors"][0]["field"] == "after" and "until: 3" in problem["detail"]
    assert await replay(api, "standup", after=0, until=3, url=url) == 3
    assert await replay(api, "standup", after=3, until=99, url=url) == 2
    assert [request.json["sequence"] for request in api.receiver.requests] == [1, 2, 3, 4, 5]


async def test_a_url_may_not_lead_where_the_server_does_not_go(tmp_path: Path) -> None:
    async with serving(tmp_path, allow_private_urls=False) as api:
        await api.enter("standup")
        body = {"after": 0, "url": "http://169.254.169.254/latest"}
        await api.refused("POST", "/v1/conferences/standup/events/replay", body, 422, "url_forbidden")


async def test_a_project_sees_and_repeats_its_own_only(tmp_path: Path) -> None:
    anna = {"headers": {"Authorization": "Bearer anna:the-first-secret"}}
    ben = {"headers": {"Authorization": "Bearer ben:the-second-secret"}}
    async with serving(tmp_path, dev=False, api_keys="anna:the-first-secret,ben:the-second-secret") as api:
        body = {"media": {"rtp": {"codec": "pcmu"}}, "status_callback": "https://hooks.example/"}
        joined = await api.post("/v1/conferences/standup/participants", body, 201, **anna)
        await sent(api)
        assert len((await api.request("GET", LIST, **anna)).json()["deliveries"]) == 1
        assert (await api.request("GET", LIST, **ben)).json() == {"deliveries": []}
        path = f"/v1/conferences/{joined['conference_id']}/events/replay"
        await api.refused("POST", path, {"after": 0}, 404, "not_found", **ben)


async def test_a_journal_that_is_gone_is_said_so(api: Api) -> None:
    joined = await api.enter("standup", **EVERYTHING)
    await sent(api)
    await api.service.context.journal.close()
    await api.refused("GET", LIST, None, 503, "journal_unavailable")
    path = f"/v1/conferences/{joined['conference_id']}/events/replay"
    await api.refused("POST", path, {"after": 0}, 503, "journal_unavailable")


async def test_a_journal_that_fails_half_way_says_how_far_it_came(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.service_events._PORTION", 1)
    await api.enter("standup")
    journal = api.service.context.journal
    add, left = journal.add_deliveries, [1]

    async def full_disk(*arguments: Any) -> list[int]:
        if not left.pop():
            raise JournalUnavailable("the disk is full")
        left.append(0)
        return await add(*arguments)

    monkeypatch.setattr(journal, "add_deliveries", full_disk)
    body = {"after": 0, "url": "https://other.example/all"}
    problem = await api.refused("POST", "/v1/conferences/standup/events/replay", body, 503, "journal_unavailable")
    assert "1 are queued" in problem["detail"]
    await sent(api)
    assert api.receiver.told() == ["participant-join"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/a?b=c#rc=1", "https://hooks.example/a?b=c#rc=1"),
        ("https://anna@hooks.example:8443", "https://***@hooks.example:8443"),
        ("http://a:b@c:d@[::1]:8080/x@y", "http://***@[::1]:8080/x@y"),
    ],
)
def test_names_and_passwords_are_not_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
