"""Sound that several want at once is fetched, decoded or made once; each that waits is told of a failure by itself."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from server.flights import SharedWork
from server.prompts.errors import PromptError
from server.tasks import Tasks

T = TypeVar("T")


class Flights(Generic[T]):
    """At most one piece of work per key is under way; who asks for it meanwhile shares its end."""

    def __init__(self, tasks: Tasks) -> None:
        self._works: SharedWork[T, PromptError] = SharedWork(tasks, PromptError)

    def __len__(self) -> int:
        return len(self._works)

    async def join(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the work under `key` returns, which is begun with `work()` if there is none; or raise its
        PromptError. Whoever is cancelled while waiting does not cancel it.
        """
        result = await asyncio.shield(self._works.begun(key, work, f"prompt {key[:40]}"))
        if isinstance(result, PromptError):
            # Each waiter raises one of its own: a shared exception would gather all their tracebacks.
            raise PromptError(result.code, result.detail) from result
        return result
