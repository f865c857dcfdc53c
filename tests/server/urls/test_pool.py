"""Connections that are kept: used again, not too many, not too old, and no place is lost whatever happens."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore2
import pytest

from server.urls.pool import ConnectionPool
from tests.server.urls.world import Asked, Site, response, site

FINE = response(b"done")


@asynccontextmanager
async def pooling(most_busy: int = 10, most_idle: int = 10, idle_s: float = 60) -> AsyncIterator[ConnectionPool]:
    pool = ConnectionPool(
        httpcore2.AnyIOBackend(),
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        most_busy=most_busy,
        most_idle=most_idle,
        idle_s=idle_s,
    )
    try:
        yield pool
    finally:
        await pool.aclose()


async def begin(pool: ConnectionPool, there: Site, pool_s: float | None = None) -> httpcore2.Response:
    url = httpcore2.URL(scheme="http", host="127.0.0.1", port=there.port, target="/")
    headers = {"Host": f"127.0.0.1:{there.port}"}
    request = httpcore2.Request("GET", url, headers=headers, extensions={"timeout": {"pool": pool_s}})
    return await pool.handle_async_request(request)


async def finish(answer: httpcore2.Response) -> bytes:
    body = b"".join([part async for part in answer.aiter_stream()])
    await answer.aclose()
    return body


async def fetch(pool: ConnectionPool, there: Site) -> bytes:
    return await finish(await begin(pool, there))


async def test_one_request_after_the_other_takes_one_connection() -> None:
    async with site(FINE) as there, pooling() as pool:
        assert [await fetch(pool, there) for _ in range(5)] == [b"done"] * 5
        assert there.connections == 1


async def test_each_server_has_its_own() -> None:
    async with site(FINE) as here, site(response(b"there")) as there, pooling() as pool:
        assert [await fetch(pool, of) for of in (here, there, here, there)] == [b"done", b"there"] * 2
        assert (here.connections, there.connections) == (1, 1)


async def test_those_under_way_share_no_connection_and_all_are_kept() -> None:
    async with site(FINE) as there, pooling() as pool:
        for _ in range(2):
            answers = [await begin(pool, there) for _ in range(4)]
            assert [await finish(answer) for answer in answers] == [b"done"] * 4
        assert there.connections == 4


async def test_no_more_are_kept_than_may_be() -> None:
    async with site(FINE) as there, pooling(most_idle=1) as pool:
        for answer in [await begin(pool, there) for _ in range(3)]:
            await finish(answer)
        for answer in [await begin(pool, there) for _ in range(3)]:
            await finish(answer)
        assert there.connections == 5


async def test_what_was_idle_for_too_long_is_not_used() -> None:
    async with site(FINE) as there, pooling(idle_s=-1) as pool:
        assert [await fetch(pool, there) for _ in range(3)] == [b"done"] * 3
        assert there.connections == 3


async def test_what_the_server_closed_is_not_used() -> None:
    def once(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(FINE)
        writer.close()

    async with site(once) as there, pooling() as pool:
        for _ in range(3):
            assert await fetch(pool, there) == b"done"
            await asyncio.sleep(0.01)  # for the end of the connection to come
        assert there.connections == 3


async def test_an_answer_that_was_not_read_costs_its_connection() -> None:
    async with site(response(b"x" * 100_000)) as there, pooling() as pool:
        for _ in range(2):
            answer = await begin(pool, there)
            await answer.aclose()
            await answer.aclose()
        assert there.connections == 2


async def test_who_finds_no_place_in_time_is_told_and_who_waits_gets_the_next() -> None:
    async with site(FINE) as there, pooling(most_busy=1) as pool:
        first = await begin(pool, there)
        with pytest.raises(httpcore2.PoolTimeout):
            await begin(pool, there, pool_s=0.01)
        waiting = asyncio.gather(begin(pool, there))
        await asyncio.sleep(0)
        assert not waiting.done()
        await finish(first)
        [second] = await waiting
        assert await finish(second) == b"done"
        assert there.connections == 1


async def test_failed_and_cancelled_requests_give_their_places_back() -> None:
    asked = asyncio.Event()

    def answers_later(of: Asked, writer: asyncio.StreamWriter) -> None:
        asked.set()
        if len(there.asked) > 3:
            writer.write(FINE)

    async with site(answers_later) as there, pooling(most_busy=1) as pool:
        async with site(FINE) as gone:
            pass
        for _ in range(3):
            with pytest.raises(httpcore2.ConnectError):
                await begin(pool, gone)
            asked.clear()
            under_way = asyncio.gather(begin(pool, there))
            await asked.wait()
            under_way.cancel()
            with pytest.raises(asyncio.CancelledError):
                await under_way
        assert await fetch(pool, there) == b"done"


async def test_closing_ends_what_is_under_way() -> None:
    async with site(lambda asked, writer: writer.write(response(b"some", length=100))) as there, pooling() as pool:
        answer = await begin(pool, there)
        await pool.aclose()
        with pytest.raises((httpcore2.ReadError, httpcore2.RemoteProtocolError)):
            await finish(answer)
        await answer.aclose()
