"""What is told of a server's events, over connections that break, against a served API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from server.caller.client import ParleyClient
from server.caller.errors import CallerError, NoAnswerError, RefusedError
from server.watch import listing
from server.watch.follower import Audience, Follower
from tests.support.api import Api
from tests.support.served import served

PATIENCE_S = 10
Told = tuple[str, int, str]


class Listener:
    """Somebody who is told what a follower finds, in the test's own thread."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._told: asyncio.Queue[Told] = asyncio.Queue()
        self._connected = asyncio.Event()
        self.missed = 0
        self.connections = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncio.Future[None]]:
        """Follow over one connection, which has to end before the test goes on."""
        loop = asyncio.get_running_loop()
        audience = Audience(
            lambda event: loop.call_soon_threadsafe(self._tell, event),
            lambda: loop.call_soon_threadsafe(self._connect),
            lambda: loop.call_soon_threadsafe(self._miss),
        )
        self._connected.clear()
        following = loop.create_task(asyncio.to_thread(self._follower.follow, audience))
        waiting = loop.create_task(self._connected.wait())
        await asyncio.wait({following, waiting}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        yield following

    async def told(self, count: int) -> list[Told]:
        async with asyncio.timeout(PATIENCE_S):
            return [await self._told.get() for _ in range(count)]

    @property
    def nothing_more(self) -> bool:
        return self._told.empty()

    def _tell(self, event: dict[str, Any]) -> None:
        self._told.put_nowait((event["params"]["name"], event["sequence"], event["params"]["status"]))

    def _connect(self) -> None:
        self.connections += 1
        self._connected.set()

    def _miss(self) -> None:
        self.missed += 1


async def cut(following: asyncio.Future[None]) -> None:
    """Wait for the end of a connection that the server ended, or that was cut."""
    with pytest.raises(NoAnswerError):
        async with asyncio.timeout(PATIENCE_S):
            await following


Connect = Callable[[str], ParleyClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes clients that are closed in the end."""
    with ExitStack() as clients:
        yield lambda url: clients.enter_context(ParleyClient(url))


async def test_all_conferences_are_followed_from_now_on(api: Api, connect: Connect) -> None:
    await api.enter("old", 40000)
    async with served(api) as url:
        listener = Listener(Follower(connect(url)))
        async with listener.connection() as following:
            await api.enter("old", 40002)
            await api.enter("new", 40000)
            assert await listener.told(3) == [
                ("old", 3, "participant-join"),
                ("new", 1, "participant-join"),
                ("new", 2, "conference-start"),
            ]
            api.service.context.bell.close()
            await cut(following)
    assert listener.nothing_more


@pytest.mark.parametrize("seen_some", [True, False])
async def test_what_happens_while_the_connection_is_gone_is_told_afterwards(
    api: Api, connect: Connect, seen_some: bool
) -> None:
    await api.enter("old", 40000)
    async with served(api) as url:
        listener = Listener(Follower(connect(url)))
        async with listener.connection() as following:
            if seen_some:
                await api.enter("old", 40002)
                assert await listener.told(1) == [("old", 3, "participant-join")]
    await cut(following)
    await api.enter("brief", 40000)
    await api.post("/v1/conferences/brief/end")
    async with served(api, int(url.rpartition(":")[2])), listener.connection() as following:
        told = await listener.told(4)
        assert [sequence for name, sequence, _ in told if name == "brief"] == [1, 2, 3, 4]
    await cut(following)
    assert listener.connections == 2 and listener.missed == 0 and listener.nothing_more


async def test_a_conference_is_followed_by_its_name_from_its_first_event_on_and_the_next_one_too(
    api: Api, connect: Connect
) -> None:
    await api.enter("standup", 40000)
    await api.post("/v1/conferences/standup/end")
    api.clock.pass_s(1)
    await api.enter("standup", 40000)
    async with served(api) as url:
        listener = Listener(Follower(connect(url), "standup"))
        async with listener.connection() as following:
            # The earlier conference of the name is not told.
            assert await listener.told(2) == [("standup", 1, "participant-join"), ("standup", 2, "conference-start")]
            await api.enter("other", 40002)
            await api.post("/v1/conferences/standup/end")
            assert [status for *_, status in await listener.told(2)] == ["participant-leave", "conference-end"]
            api.clock.pass_s(1)
            await api.enter("standup", 40004)
            assert [sequence for _, sequence, _ in await listener.told(2)] == [1, 2]
            assert not following.done()
    await cut(following)
    assert listener.nothing_more


async def test_a_name_that_nobody_has_taken_yet_is_waited_for(api: Api, connect: Connect) -> None:
    async with served(api) as url:
        listener = Listener(Follower(connect(url), "stand/up & more"))
        async with listener.connection() as following:
            await api.join(await api.call(), "stand/up & more")
            assert [sequence for _, sequence, _ in await listener.told(2)] == [1, 2]
    await cut(following)


async def test_a_conference_followed_by_its_id_is_finished_by_its_end(api: Api, connect: Connect) -> None:
    joined = await api.enter("standup", 40000)
    async with served(api) as url:
        listener = Listener(Follower(connect(url), joined["conference_id"]))
        async with listener.connection() as following:
            assert len(await listener.told(2)) == 2
            await api.enter("standup", 40002)
            assert await listener.told(1) == [("standup", 3, "participant-join")]
            await api.post("/v1/conferences/standup/end")
            assert (await listener.told(3))[-1] == ("standup", 6, "conference-end")
            async with asyncio.timeout(PATIENCE_S):
                await following
        late = Listener(Follower(connect(url), joined["conference_id"]))
        async with late.connection() as following, asyncio.timeout(PATIENCE_S):
            await following
        assert len(await late.told(6)) == 6 and late.nothing_more


async def test_an_end_that_came_while_the_connection_was_gone_finishes_it_too(api: Api, connect: Connect) -> None:
    joined = await api.enter("standup", 40000)
    async with served(api) as url:
        listener = Listener(Follower(connect(url), joined["conference_id"]))
        async with listener.connection() as following:
            await listener.told(2)
    await cut(following)
    await api.post("/v1/conferences/standup/end")
    async with served(api, int(url.rpartition(":")[2])), listener.connection() as following:
        assert [sequence for _, sequence, _ in await listener.told(2)] == [3, 4]
        async with asyncio.timeout(PATIENCE_S):
            await following
    assert listener.nothing_more


async def test_what_happens_between_connecting_and_reading_the_past_is_told_once(
    api: Api, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.enter("standup", 40000)
    loop, events = asyncio.get_running_loop(), listing.events

    def late(client: ParleyClient, conference_id: str, after: int) -> list[listing.Json]:
        asyncio.run_coroutine_threadsafe(api.enter("standup", 40002), loop).result(PATIENCE_S)
        return events(client, conference_id, after)

    monkeypatch.setattr(listing, "events", late)
    async with served(api) as url:
        listener = Listener(Follower(connect(url), "standup"))
        async with listener.connection() as following:
            await listener.told(3)
            await api.enter("standup", 40004)
            assert await listener.told(1) == [("standup", 4, "participant-join")]
    await cut(following)


async def test_events_that_the_server_no_longer_has_are_said_to_be_missing_and_none_is_told_twice(
    api: Api, connect: Connect
) -> None:
    await api.enter("standup", 40000)
    async with served(api) as url:
        follower = Follower(connect(url), "standup")
        listener = Listener(follower)
        async with listener.connection() as following:
            await listener.told(2)
    await cut(following)
    follower._last_id = "pruned"
    await api.enter("standup", 40002)
    async with served(api, int(url.rpartition(":")[2])), listener.connection() as following:
        assert await listener.told(1) == [("standup", 3, "participant-join")]
        assert listener.missed == 1
    await cut(following)


async def test_more_events_than_an_answer_holds_are_all_told(
    api: Api, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for port in range(40000, 40012, 2):
        await api.enter("busy", port)
    whole = ParleyClient.request

    def two_a_time(client: ParleyClient, method: str, path: str) -> dict[str, object]:
        answer = whole(client, method, path)
        if "events" in answer:
            answer["events"] = answer["events"][:2]
        return answer

    monkeypatch.setattr(ParleyClient, "request", two_a_time)
    async with served(api) as url:
        listener = Listener(Follower(connect(url), "busy"))
        async with listener.connection() as following:
            assert [sequence for _, sequence, _ in await listener.told(7)] == list(range(1, 8))
    await cut(following)


async def test_what_is_wrong_is_said(api: Api, connect: Connect) -> None:
    nobody = Listener(Follower(connect("http://127.0.0.1:1")))
    async with nobody.connection() as following:
        with pytest.raises(NoAnswerError, match="No server answers"):
            await following
    async with served(api) as url:
        # The path leads to something that is no stream.
        elsewhere = Listener(Follower(connect(f"{url}/nowhere")))
        async with elsewhere.connection() as following:
            with pytest.raises(RefusedError, match="not_found"):
                await following
        api.service.context.ready = False
        async with Listener(Follower(connect(url))).connection() as following:
            with pytest.raises(CallerError, match="not_ready"):
                await following
        api.service.context.ready = True
