"""A real server and receivers that do everything wrong: nobody else waits, memory stays, and each failure is told."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.server.urls.world import Answer, Asked, Site, redirect, response, site
from tests.support.live_server import LiveServer

WAITS_S = ",".join(["0.3"] * 200)
CHANGES = 30
ROOM_BYTES = 64 << 20
FINE = response(b"thanks")


def garbage(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff" * 4000 + b"\r\n\r\n")
    writer.close()


def closes(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


def never(_: Asked, _writer: asyncio.StreamWriter) -> None:
    return None


async def a_gigabyte(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(response(status="500 Oh", length=1 << 30))
    for _number in range(1 << 14):
        writer.write(bytes(1 << 16))
        await writer.drain()


async def endless_headers(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.transport.is_closing():
        writer.write(b"X-More: " + b"x" * 8000 + b"\r\n")
        await writer.drain()


HOSTILE: dict[str, tuple[bytes | Answer, str]] = {
    "garbage": (garbage, "protocol_error"),
    "closes": (closes, "connection_lost"),
    "never": (never, "total_timeout"),
    "a-gigabyte": (a_gigabyte, "http_5xx"),
    "endless-headers": (endless_headers, "protocol_error"),
}


@asynccontextmanager
async def serving(folder: Path, **settings: str) -> AsyncIterator[tuple[LiveServer, httpx2.AsyncClient]]:
    server = LiveServer(folder, PARLEY_WEBHOOK_SCHEDULE=WAITS_S, **settings)
    await asyncio.to_thread(server.start)
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=20, trust_env=False) as http:
            yield server, http
    finally:
        code = await asyncio.to_thread(server.stop)
    assert code == 0


async def join(http: httpx2.AsyncClient, name: str, there: Site) -> dict[str, str]:
    body = {
        "media": {"rtp": {"codec": "pcmu"}},
        "status_callback": f"http://127.0.0.1:{there.port}/hook#tt=500",
        "status_callback_event": "start end join leave mute",
    }
    joined = await http.post(f"/v1/conferences/{name}/participants", json=body)
    assert joined.status_code == 201, joined.text
    answer: dict[str, str] = joined.json()
    return answer


async def mute(http: httpx2.AsyncClient, of: dict[str, str], times: int) -> None:
    for number in range(times):
        path = f"/v1/conferences/{of['conference_id']}/participants/{of['call_id']}"
        changed = await http.patch(path, json={"muted": number % 2 == 0})
        assert changed.status_code == 200, changed.text


async def deliveries(http: httpx2.AsyncClient, of: dict[str, str]) -> list[dict[str, Any]]:
    listed = await http.get(f"/v1/webhook-deliveries?limit=1000&conference_id={of['conference_id']}")
    found: list[dict[str, Any]] = listed.json()["deliveries"]
    return found[::-1]


async def until_settled(http: httpx2.AsyncClient, of: dict[str, str]) -> list[dict[str, Any]]:
    found = await deliveries(http, of)
    async with asyncio.timeout(30):
        while any(one["state"] == "pending" for one in found):
            await asyncio.sleep(0.05)
            found = await deliveries(http, of)
    return found


async def until_asked(there: Site, times: int) -> None:
    async with asyncio.timeout(40):
        while len(there.asked) < times:  # noqa: ASYNC110 (a site tells nobody)
            await asyncio.sleep(0.05)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_receivers_that_do_everything_wrong_cost_little_and_hold_up_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, http), AsyncExitStack() as sites:
        well = await sites.enter_async_context(site(FINE))
        hostile = {name: await sites.enter_async_context(site(answer)) for name, (answer, _) in HOSTILE.items()}
        calls = {name: await join(http, name, there) for name, there in hostile.items()}
        good = await join(http, "good", well)
        await until_settled(http, good)
        before_bytes = resident_bytes(server.pid)
        for call in calls.values():
            await mute(http, call, CHANGES)
        await mute(http, good, CHANGES)
        told = await until_settled(http, good)
        # Everything is where it should be, and the others have not got anywhere.
        assert Counter(one["state"] for one in told) == {"delivered": CHANGES + 2}
        assert {one["attempts"] for one in told} == {1}
        for name, there in hostile.items():
            await until_asked(there, 4)
            found = await deliveries(http, calls[name])
            assert {one["state"] for one in found} == {"pending"}, name
            assert found[0]["attempts"] >= 2, name
            assert found[0]["last_error"] == HOSTILE[name][1], name
            # Strictly the head: what is behind it was never tried.
            assert {one["attempts"] for one in found[1:]} == {0}, name
            assert len({asked.headers["webhook-id"] for asked in there.asked}) == 1, name
        assert resident_bytes(server.pid) - before_bytes < ROOM_BYTES


async def test_redirects_are_not_followed_and_who_is_gone_is_left_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, http), site(FINE) as elsewhere:
        gone_answer = response(status="410 Gone")
        async with (
            site(redirect(f"http://127.0.0.1:{elsewhere.port}/elsewhere")) as redirects,
            site(gone_answer) as gone,
        ):
            moved, left = await join(http, "moved", redirects), await join(http, "left", gone)
            await until_asked(redirects, 3)
            found = await deliveries(http, moved)
            assert (found[0]["state"], found[0]["last_error"], found[0]["last_status"]) == ("pending", "redirect", 302)
            assert {asked.target.partition("?")[0] for asked in redirects.asked} == {"/hook"}
            assert elsewhere.connections == 0

            await until_settled(http, left)
            await mute(http, left, 4)
            found = await deliveries(http, left)
            assert {one["state"] for one in found} == {"dead"}
            assert [one["attempts"] for one in found] == [1, 0, 0, 0, 0, 0]
            assert [one["last_error"] for one in found] == ["http_4xx"] + ["endpoint_gone"] * 5
            assert len(gone.asked) == 1
