"""Work that several want at once is done once, and is not lost when one of them gives up."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from server.prompts.errors import PromptError
from server.tasks import Tasks

T = TypeVar("T")


class Flights(Generic[T]):
    """At most one piece of work per key is under way; who asks for it meanwhile shares its end."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._under_way: dict[str, asyncio.Task[T | PromptError]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    async def join(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the work under `key` returns, which is begun with `work()` if there is none; or raise its
        PromptError. Whoever is cancelled while waiting does not cancel it.
        """
        task = self._under_way.get(key)
        if task is None:
            task = self._tasks.spawn(_outcome(work()), f"prompt {key[:40]}")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        result = await asyncio.shield(task)
        if isinstance(result, PromptError):
            # Each waiter raises one of its own: a shared exception would gather all their tracebacks.
            raise PromptError(result.code, result.detail) from result
        return result


async def _outcome(work: Coroutine[Any, Any, T]) -> T | PromptError:
    """Return the PromptError as a value: a failure that is expected is no failed task."""
    try:
        return await work
    except PromptError as error:
        return error
