"""Work that several want at once is done once, and is not lost when one of them gives up.

What those who share it are told of a failure is for the users of this to say: `server.prompts.flights` and
`server.recordings.flights`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Generic, TypeVar

from server.tasks import Tasks

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class SharedWork(Generic[T, E]):
    """At most one piece of work per key is under way, and at most `at_once` of all keys; None: as many as are wanted.

    A failure of the kind `expected` is an outcome like any other; another one is a failed task.
    """

    def __init__(self, tasks: Tasks, expected: type[E], at_once: int | None = None) -> None:
        self._tasks = tasks
        self._expected = expected
        self._places: AbstractAsyncContextManager[object] = (
            nullcontext() if at_once is None else asyncio.Semaphore(at_once)
        )
        self._under_way: dict[Hashable, asyncio.Task[T | E]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def begun(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]], name: str) -> asyncio.Task[T | E]:
        """Return the task of the work under `key`, which is begun with `work()` if there is none.

        Whoever waits for it has to shield it, so that giving up does not cancel it for the others.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._tasks.spawn(self._outcome(work), name)
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return task

    async def _outcome(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T | E:
        async with self._places:
            try:
                return await work()
            except self._expected as error:
                return error
