"""Children end in time, or are ended."""

import asyncio
import sys
from typing import Any

import pytest

from server import children

WAITS = "import sys, time; print('here', flush=True); time.sleep(60)"


async def test_what_a_child_says_is_told() -> None:
    ended = await children.run([sys.executable, "-c", "print('made'); exit('no room')"], 30.0)
    assert (ended.status, ended.output, ended.words) == (1, "made\n", "no room")


async def test_a_child_that_was_killed_says_how() -> None:
    ended = await children.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], 30.0)
    assert (ended.status, ended.words) == (-9, "the child ended with status -9")


async def test_a_child_is_not_waited_for_longer_than_was_said() -> None:
    with pytest.raises(TimeoutError):
        await children.run([sys.executable, "-c", WAITS], 0.2)


async def test_a_child_ends_with_who_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    create = asyncio.create_subprocess_exec

    async def kept(*arguments: str, **options: Any) -> asyncio.subprocess.Process:
        started.put_nowait(process := await create(*arguments, **options))
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", kept)
    waiting = asyncio.get_running_loop().create_task(children.run([sys.executable, "-c", WAITS], 30.0))
    process = await started.get()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert process.returncode == -9


async def test_the_servers_secrets_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SIGNING_SECRET", "very-secret")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-bucket")
    shown = "import os; print(os.environ.get('PARLEY_SIGNING_SECRET'), os.environ['AWS_ACCESS_KEY_ID'])"
    assert (await children.run([sys.executable, "-c", shown], 30.0)).output == "None of-the-bucket\n"


async def test_what_cannot_be_started_is_an_error() -> None:
    with pytest.raises(OSError):
        await children.run(["/no/such/program"], 1.0)
