"""What is new since the last poll, against a served API."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.caller.client import ParleyClient
from server.caller.errors import NoAnswerError
from server.watch import listing
from server.watch.follower import Follower
from tests.server.watch.served import served
from tests.support.api import Api


@pytest.fixture
async def client(api: Api) -> AsyncIterator[ParleyClient]:
    async with served(api) as url:
        with ParleyClient(url) as connected:
            yield connected


async def poll(follower: Follower) -> list[tuple[str, int, str]]:
    events = await asyncio.to_thread(follower.poll)
    return [(event["params"]["name"], event["sequence"], event["params"]["status"]) for event in events]


async def test_all_conferences_are_followed_from_now_on(api: Api, client: ParleyClient) -> None:
    await api.enter("old", 40000)
    follower = Follower(client)
    assert await poll(follower) == []
    await api.enter("old", 40002)
    await api.enter("new", 40000)
    assert sorted(await poll(follower)) == [
        ("new", 1, "participant-join"),
        ("new", 2, "conference-start"),
        ("old", 3, "participant-join"),
    ]
    assert await poll(follower) == []


async def test_a_conference_that_came_and_went_between_two_polls_is_told(api: Api, client: ParleyClient) -> None:
    follower = Follower(client)
    await poll(follower)
    await api.enter("brief", 40000)
    await api.post("/v1/conferences/brief/end")
    told = await poll(follower)
    assert [sequence for _, sequence, _ in told] == [1, 2, 3, 4]
    assert told[-1][2] == "conference-end"
    assert await poll(follower) == []


async def test_the_end_of_one_that_is_in_no_list_any_more_is_told(
    api: Api, client: ParleyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.watch.follower.NEWEST", 1)
    await api.enter("long", 40000)
    follower = Follower(client)
    await poll(follower)
    api.clock.pass_s(60)
    await api.enter("newer", 40002)
    await api.post("/v1/conferences/long/end")
    assert ("long", 4, "conference-end") in await poll(follower)
    assert await poll(follower) == []


async def test_a_conference_is_followed_by_its_name_from_its_first_event_on_and_the_next_one_too(
    api: Api, client: ParleyClient
) -> None:
    follower = Follower(client, "standup")
    assert await poll(follower) == []
    await api.enter("standup", 40000)
    await api.enter("other", 40002)
    assert [(name, sequence) for name, sequence, _ in await poll(follower)] == [("standup", 1), ("standup", 2)]
    await api.post("/v1/conferences/standup/end")
    assert [status for *_, status in await poll(follower)] == ["participant-leave", "conference-end"]
    api.clock.pass_s(1)
    await api.enter("standup", 40000)
    assert [sequence for _, sequence, _ in await poll(follower)] == [1, 2]
    assert not follower.finished


async def test_an_earlier_conference_of_the_name_is_not_told(api: Api, client: ParleyClient) -> None:
    await api.enter("standup", 40000)
    await api.post("/v1/conferences/standup/end")
    api.clock.pass_s(1)
    await api.enter("standup", 40000)
    assert [sequence for _, sequence, _ in await poll(Follower(client, "standup"))] == [1, 2]


async def test_a_conference_followed_by_its_id_is_finished_by_its_end(api: Api, client: ParleyClient) -> None:
    joined = await api.enter("standup", 40000)
    follower = Follower(client, joined["conference_id"])
    assert len(await poll(follower)) == 2 and not follower.finished
    await api.post("/v1/conferences/standup/end")
    assert len(await poll(follower)) == 2 and follower.finished
    assert len(await poll(Follower(client, joined["conference_id"]))) == 4


async def test_more_events_than_an_answer_holds_are_all_told(
    api: Api, client: ParleyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.enter("busy", 40000)
    for port in range(40002, 40012, 2):
        await api.enter("busy", port)
    whole = client.request

    def two_a_time(method: str, path: str) -> dict[str, object]:
        answer = whole(method, path)
        if "events" in answer:
            answer["events"] = answer["events"][:2]
        return answer

    monkeypatch.setattr(client, "request", two_a_time)
    told = await poll(Follower(client, "busy"))
    assert [sequence for _, sequence, _ in told] == list(range(1, 8))


async def test_a_poll_that_fails_half_way_loses_nothing(
    api: Api, client: ParleyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(client)
    await poll(follower)
    await api.enter("a", 40000)
    api.clock.pass_s(1)
    await api.enter("b", 40002)
    events = listing.events

    def broken(connection: ParleyClient, conference_id: str, after: int) -> list[listing.Json]:
        if conference_id == api.service.context.live.all()[-1].conference_id:
            raise NoAnswerError("cut off")
        return events(connection, conference_id, after)

    monkeypatch.setattr(listing, "events", broken)
    with pytest.raises(NoAnswerError):
        await poll(follower)
    monkeypatch.setattr(listing, "events", events)
    assert [(name, sequence) for name, sequence, _ in await poll(follower)] == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
