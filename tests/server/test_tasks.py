import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from server.tasks import Tasks


async def test_a_task_runs_and_is_forgotten_when_it_ends() -> None:
    tasks = Tasks()
    task = tasks.spawn(asyncio.sleep(0, "done"), "sleeper")
    assert (task.get_name(), len(tasks)) == ("sleeper", 1)
    assert await task == "done"
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_a_failure_is_logged_with_the_name_of_the_task() -> None:
    async def fail() -> None:
        raise RuntimeError("as requested")

    tasks = Tasks()
    with capture_logs() as logs:
        await asyncio.wait([tasks.spawn(fail(), "failing task")])
        await asyncio.sleep(0)
    (entry,) = logs
    assert (entry["log_level"], entry["task"]) == ("error", "failing task")
    assert isinstance(entry["exc_info"], RuntimeError)


async def test_cancelling_waits_for_all_also_for_those_spawned_while_ending() -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def wait(name: str, *, leaves_one_more: bool) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            if leaves_one_more:
                tasks.spawn(wait("second", leaves_one_more=False), "second")
            ended.append(name)

    tasks.spawn(wait("first", leaves_one_more=True), "first")
    await asyncio.sleep(0)
    with capture_logs() as logs:
        await tasks.cancel_all()
    assert ended == ["first", "second"]
    assert len(tasks) == 0
    assert logs == []


async def test_a_task_may_cancel_all_others() -> None:
    tasks = Tasks()
    other = tasks.spawn(asyncio.Event().wait(), "other")
    await asyncio.wait_for(tasks.spawn(tasks.cancel_all(), "the one that cancels"), 5)
    with pytest.raises(asyncio.CancelledError):
        await other


async def test_finish_goes_on_when_its_caller_is_cancelled() -> None:
    tasks, released, done = Tasks(), asyncio.Event(), asyncio.Event()

    async def work() -> int:
        await released.wait()
        done.set()
        return 7

    waiting = asyncio.ensure_future(tasks.finish(work(), "work"))  # noqa: TID251
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    released.set()
    await asyncio.wait_for(done.wait(), 1)
    assert await tasks.finish(work(), "again") == 7
    assert len(tasks) == 0


async def test_tasks_that_stand_apart_know_nothing_of_the_request_that_spawned_them() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        near = Tasks().spawn(_bound(), "near")
        apart = Tasks(apart=True).spawn(_bound(), "apart")
    assert await near == {"request_id": "r-1"}
    assert await apart == {}


async def _bound() -> dict[str, Any]:
    return structlog.contextvars.get_contextvars()
