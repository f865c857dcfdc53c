"""`python -m server watch`: how it waits, comes back and ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from server.caller.errors import NoAnswerError, RefusedError
from server.watch.follower import Audience
from server.watch.watch import follow
from tests.support.api import Api
from tests.support.served import served


class Scripted:
    """A follower whose connections are written down beforehand: what is told over each, and how it ends."""

    def __init__(self, *connections: list[Any]) -> None:
        self._connections = list(connections)

    def follow(self, audience: Audience) -> None:
        for happening in self._connections.pop(0):
            if isinstance(happening, Exception):
                raise happening
            if happening == "connected":
                audience.connected()
            elif happening == "gap":
                audience.missed()
            else:
                audience.event(happening)


GONE = NoAnswerError("gone")


def run(follower: Any) -> tuple[list[Any], list[float]]:
    told: list[Any] = []
    pauses: list[float] = []
    follow(follower, told.append, pauses.append)
    return told, pauses


def test_tells_in_order_until_the_follower_has_finished() -> None:
    assert run(Scripted(["connected", 1, 2, 3])) == ([1, 2, 3], [])


@pytest.mark.parametrize("trouble", [GONE, RefusedError("draining", 503)])
def test_waits_for_a_server_that_went_away_and_says_so_once(
    capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    told, pauses = run(Scripted(["connected", 1, trouble], [trouble], [trouble], ["connected", 2, 3]))
    assert (told, pauses) == ([1, 2, 3], [1.0, 1.0, 1.0])
    assert capsys.readouterr().err.splitlines() == [
        "The server does not answer; waiting for it.",
        "The server is back.",
    ]


def test_says_each_time_that_the_server_went_away_and_that_events_were_missed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(Scripted(["connected", GONE], ["connected", "gap", GONE], ["connected"]))
    assert capsys.readouterr().err.splitlines() == [
        "The server does not answer; waiting for it.",
        "The server is back.",
        "Some events were missed: the server no longer has them.",
        "The server does not answer; waiting for it.",
        "The server is back.",
    ]


@pytest.mark.parametrize(
    "connections", [([NoAnswerError("nobody there")],), (["connected", 1, RefusedError("no such key", 401)],)]
)
def test_what_waiting_cannot_mend_ends_it(connections: tuple[Any, ...]) -> None:
    with pytest.raises((NoAnswerError, RefusedError)):
        run(Scripted(*connections))


async def watching(url: str, *arguments: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    command = [sys.executable, "-m", "server", "watch", *arguments, "--server", url]
    return await asyncio.to_thread(
        lambda: subprocess.Popen(
            command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
    )


async def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    read: Callable[[], str] = process.stdout.readline
    return await asyncio.to_thread(read)


async def test_prints_events_until_ctrl_c_and_then_ends_without_a_word(api: Api) -> None:
    joined = await api.enter("standup", 40000)
    async with served(api) as url:
        process = await watching(url, "standup")
        try:
            assert f"standup #1 participant-join   {joined['call_id']} size=1" in await line_of(process)
            assert "conference-start" in await line_of(process)
            await api.enter("standup", 40002, muted=True)
            assert await line_of(process) == await line_for_third(api)
            process.send_signal(signal.SIGINT)
            out, err = await asyncio.to_thread(process.communicate)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")


async def line_for_third(api: Api) -> str:
    from server.watch.lines import event_line

    (event,) = (await api.get("/v1/conferences/standup/events?after=2"))["events"]
    return event_line(event) + "\n"


async def test_json_lines_of_a_conference_by_id_end_with_it(api: Api) -> None:
    joined = await api.enter("standup", 40000)
    await api.post("/v1/conferences/standup/end")
    async with served(api) as url:
        process = await watching(url, joined["conference_id"], "--json")
        out, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0
    stored = await api.get(f"/v1/conferences/{joined['conference_id']}/events")
    assert [json.loads(line) for line in out.splitlines()] == stored["events"]
