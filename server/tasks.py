"""Background tasks that are neither lost nor silent.

asyncio keeps only a weak reference to a task and reports its exception when the task is collected, if ever.
`Tasks` keeps each one until it ends and logs a failure at once. This is the only place that creates tasks;
what a task does, and when it should end, is the business of whoever spawns it.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

import structlog

T = TypeVar("T")


class Tasks:
    """A group of background tasks that end together."""

    def __init__(self, *, apart: bool = False) -> None:
        """`apart`: tasks serve everybody, so that their log lines name no request, whoever happened to spawn them."""
        self._apart = apart
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start `coro` in the background; `name` says in the log which task failed."""
        context = Context() if self._apart else None
        task = asyncio.create_task(coro, name=name, context=context)  # noqa: TID251
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self, coro: Coroutine[Any, Any, T], name: str) -> T:
        """Await `coro`, which goes on to its end even if whoever awaits it is cancelled. Its failure is theirs."""
        task = asyncio.create_task(coro, name=name)  # noqa: TID251
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def cancel_all(self) -> None:
        """Cancel every task and wait until all have ended, also those spawned meanwhile.

        The task that calls this, if it is one of them, is left alone: it could not wait for itself.
        """
        while others := self._tasks - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            structlog.get_logger().error("task failed", task=task.get_name(), exc_info=error)
