"""`GET /v1/events`: where it begins, what it holds, how it ends, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.api import Api, serving
from tests.support.served import served

Json = dict[str, Any]
PATIENCE_S = 10


class Stream:
    """An open stream of one client."""

    def __init__(self, source: httpx2.EventSource) -> None:
        self.response = source.response
        self._events = aiter(source)

    async def next(self) -> httpx2.ServerSentEvent:
        async with asyncio.timeout(PATIENCE_S):
            return await anext(self._events)

    async def take(self, count: int) -> list[Json]:
        """Return the EVENTs of the next messages."""
        found = []
        for _ in range(count):
            sent = await self.next()
            event = json.loads(sent.data)
            assert (sent.event, sent.id) == ("message", event["id"])
            found.append(event)
        return found

    async def rest(self) -> list[Json]:
        """Return what comes until the server ends the stream."""
        async with asyncio.timeout(PATIENCE_S):
            return [json.loads(sent.data) async for sent in self._events]


@asynccontextmanager
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    async with served(api) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as http:
        yield http


@asynccontextmanager
async def follow(http: httpx2.AsyncClient, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with http.sse(f"/v1/events{query}", headers=given) as source:
        yield Stream(source)


async def logged(api: Api, conference_id: str) -> list[Json]:
    events: list[Json] = (await api.get(f"/v1/conferences/{conference_id}/events"))["events"]
    return events


def brief(events: list[Json]) -> list[tuple[str, int, str]]:
    return [(event["params"]["name"], event["sequence"], event["params"]["status"]) for event in events]


async def test_it_begins_with_now_and_tells_what_is_logged_of_every_conference(api: Api) -> None:
    await api.enter("before", 40000)
    async with client(api) as http, follow(http) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        joined = await api.enter("standup", 40002)
        await api.enter("before", 40004)
        told = await stream.take(3)
        assert told[:2] == await logged(api, joined["conference_id"])
        assert brief(told[2:]) == [("before", 3, "participant-join")]


async def test_it_goes_on_after_the_event_that_the_client_has(api: Api) -> None:
    joined = await api.enter("standup", 40000)
    first, second = await logged(api, joined["conference_id"])
    await api.enter("retro", 40002)
    async with client(api) as http:
        async with follow(http, Last_Event_ID=first["id"]) as stream:
            assert stream.response.headers["last-event-id"] == first["id"]
            assert brief(await stream.take(3)) == [
                ("standup", 2, "conference-start"),
                ("retro", 1, "participant-join"),
                ("retro", 2, "conference-start"),
            ]
        async with follow(http, f"?last_event_id={second['id']}") as stream:
            assert brief(await stream.take(1)) == [("retro", 1, "participant-join")]
        # A browser that reconnects says in the header what it saw last, and the query is still the first one.
        async with follow(http, f"?last_event_id={first['id']}", Last_Event_ID=second["id"]) as stream:
            assert brief(await stream.take(1)) == [("retro", 1, "participant-join")]


async def test_who_has_seen_nothing_yet_can_resume_too(api: Api) -> None:
    async with client(api) as http:
        async with follow(http) as stream:
            begun = stream.response.headers["last-event-id"]
        joined = await api.enter("standup", 40000)
        async with follow(http, Last_Event_ID=begun) as stream:
            assert await stream.take(2) == await logged(api, joined["conference_id"])
        async with follow(http) as stream:
            begun = stream.response.headers["last-event-id"]
        await api.enter("standup", 40002)
        async with follow(http, Last_Event_ID=begun) as stream:
            assert brief(await stream.take(1)) == [("standup", 3, "participant-join")]


async def test_nought_is_before_the_first_event(api: Api) -> None:
    joined = await api.enter("standup", 40000)
    async with client(api) as http, follow(http, "?last_event_id=0") as stream:
        assert await stream.take(2) == await logged(api, joined["conference_id"])


async def test_an_event_that_is_not_known_is_a_gap_before_all_that_is_kept(api: Api) -> None:
    joined = await api.enter("standup", 40000)
    async with client(api) as http, follow(http, Last_Event_ID="gone 'or never been") as stream:
        gap = await stream.next()
        assert (gap.event, gap.id) == ("gap", "") and json.loads(gap.data) == {"reason": "unknown_last_event_id"}
        assert await stream.take(2) == await logged(api, joined["conference_id"])


async def test_it_can_be_of_one_conference_or_of_one_name(api: Api) -> None:
    first = await api.enter("standup", 40000)
    await api.enter("retro", 40002)
    await api.post("/v1/conferences/standup/end")
    await api.enter("standup", 40000)
    async with client(api) as http:
        async with follow(http, "?name=standup&last_event_id=0") as stream:
            assert [sequence for _, sequence, _ in brief(await stream.take(6))] == [1, 2, 3, 4, 1, 2]
        async with follow(http, f"?conference_id={first['conference_id']}&last_event_id=0") as stream:
            assert await stream.take(4) == await logged(api, first["conference_id"])


async def test_a_project_is_told_of_its_own_events_only(tmp_path: Path) -> None:
    keys = "anna:the-first-secret,ben:the-second-secret"
    anna = {"Authorization": "Bearer anna:the-first-secret"}
    ben = {"Authorization": "Bearer ben:the-second-secret"}
    body = {"media": {"rtp": {"codec": "pcmu"}}}
    async with serving(tmp_path, dev=False, api_keys=keys) as api, client(api) as http:
        joined = (await http.post("/v1/conferences/a/participants", json=body, headers=anna)).json()
        await http.post("/v1/conferences/b/participants", json=body, headers=ben)
        path = f"/v1/conferences/{joined['conference_id']}/events"
        (first, _) = (await http.get(path, headers=anna)).json()["events"]
        async with follow(http, "?last_event_id=0", **ben) as stream:
            assert brief(await stream.take(2)) == [("b", 1, "participant-join"), ("b", 2, "conference-start")]
        # What anna's event is, ben cannot know.
        async with follow(http, Last_Event_ID=first["id"], **ben) as stream:
            assert (await stream.next()).event == "gap"
            assert [name for name, *_ in brief(await stream.take(2))] == ["b", "b"]
        assert (await http.get("/v1/events")).status_code == 401


async def test_when_the_server_stops_it_ends_after_the_last_event(api: Api) -> None:
    async with client(api) as http, follow(http) as all_of_it, follow(http, "?name=retro") as nothing_of_it:
        await api.enter("standup", 40000)
        await api.service.stop()
        told = brief(await all_of_it.rest())
        assert [sequence for _, sequence, _ in told] == [1, 2, 3, 4] and told[-1][2] == "conference-end"
        assert await nothing_of_it.rest() == []
        refused = await http.get("/v1/events")
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")


async def test_draining_does_not_end_it(api: Api) -> None:
    await api.enter("standup", 40000)
    async with client(api) as http, follow(http) as stream:
        draining = asyncio.get_running_loop().create_task(api.service.drain(60))
        await asyncio.sleep(0)
        await api.enter("standup", 40002)
        assert brief(await stream.take(1)) == [("standup", 3, "participant-join")]
        await api.post("/v1/conferences/standup/end")
        await draining
        assert brief(await stream.take(3))[-1] == ("standup", 6, "conference-end")


async def test_nothing_is_left_of_a_client_that_went_away(api: Api) -> None:
    async with client(api) as http:
        await http.get("/healthz")
        before = len(asyncio.all_tasks())
        for _ in range(3):
            async with follow(http) as stream:
                await api.enter("standup", 40000)
                await stream.next()
            await api.post("/v1/conferences/standup/end")
        async with asyncio.timeout(PATIENCE_S):
            await api.service.context.bell.left_alone()
        for _ in range(500):
            if len(asyncio.all_tasks()) <= before:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(asyncio.all_tasks())


async def test_a_silent_stream_is_kept_alive_by_comments(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.live_events.KEEP_ALIVE_S", 0.0)
    async with client(api) as http, http.stream("GET", "/v1/events") as response:
        async with asyncio.timeout(PATIENCE_S):
            lines = response.aiter_lines()
            assert [await anext(lines) for _ in range(4)] == [": keep-alive", "", ": keep-alive", ""]


async def test_a_log_that_cannot_be_read_is_said_before_the_stream_begins(api: Api) -> None:
    await api.service.context.journal.close()
    await api.refused("GET", "/v1/events", None, 503, "journal_unavailable")


@pytest.mark.parametrize("query", ["last_event_id=", "conference_id=", "name="])
async def test_what_is_too_long_is_refused(api: Api, query: str) -> None:
    await api.refused("GET", f"/v1/events?{query}{'x' * 129}", None, 422, "invalid_request")
