"""Compiling ahead, by commands that do something else: it never stops a server, and never stays behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.mixers import compiling
from server.mixers.compiling import compile_loops
from tests.support.processes import children, gone, running

FOREVER = ("sleep", "1000")


@pytest.fixture(autouse=True)
def unnoticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is."""
    monkeypatch.setattr(compiling, "_UNNOTICED_S", 1000.0)


def python(program: str) -> tuple[str, ...]:
    return sys.executable, "-c", program


async def test_the_words_of_a_command_that_fails_are_logged() -> None:
    before = children()
    with capture_logs() as logs:
        await compile_loops(python("import sys; sys.exit('nothing can be kept in /nowhere: Read-only file system')"))
    assert logs == [
        {
            "event": "loops_not_compiled",
            "log_level": "warning",
            "reason": "nothing can be kept in /nowhere: Read-only file system",
        }
    ]
    assert children() == before


async def test_only_the_end_of_many_words_is_logged() -> None:
    with capture_logs() as logs:
        await compile_loops(python("import sys; sys.exit('\\xff' + 'trace\\n' * 10_000 + 'the reason')"))
    (line,) = logs
    assert len(line["reason"]) == 2000
    assert line["reason"].endswith("trace\nthe reason")


async def test_one_that_succeeds_is_not_mentioned() -> None:
    with capture_logs() as logs:
        await compile_loops(python("print('compiled')"))
    assert logs == []


async def test_one_that_takes_a_while_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "_UNNOTICED_S", 0.0)
    with capture_logs() as logs:
        await compile_loops(python("pass"))
    assert [line["event"] for line in logs] == ["compiling_loops"]


async def test_one_that_takes_too_long_is_killed() -> None:
    before = children()
    with capture_logs() as logs:
        await compile_loops(FOREVER, within_s=0.1)
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("loops_not_compiled", "warning")
    assert line["reason"] == "it took more than 0.1 s"
    assert children() == before


async def test_a_server_that_is_stopped_meanwhile_leaves_none_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pid")
    program = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(compile_loops(python(program)))
        pid = int(await asyncio.to_thread((tmp_path / "pid").read_text))
        assert running(pid)
        task.cancel()
    assert task.cancelled()
    await gone([pid])


async def test_one_that_ignores_signals_is_killed_as_well() -> None:
    before = children()
    await compile_loops(("sh", "-c", f"trap '' {signal.SIGTERM.value} {signal.SIGINT.value}; exec sleep 1000"), 0.1)
    assert children() == before


async def test_it_is_told_no_secrets_and_imports_what_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SIGNING_SECRET", "whsec_secret")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/kept/here")
    names = ("PARLEY_SIGNING_SECRET", "NUMBA_CACHE_DIR")
    with capture_logs() as logs:
        await compile_loops(python(f"import os, sys, mixer; sys.exit(str([*map(os.environ.get, {names})]))"))
    assert [line["reason"] for line in logs] == ["[None, '/kept/here']"]


async def test_a_command_that_dies_without_a_word_is_logged() -> None:
    with capture_logs() as logs:
        await compile_loops(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert [line["reason"] for line in logs] == ["it ended with status -9"]
