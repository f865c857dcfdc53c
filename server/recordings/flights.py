"""Work on files that several ask for at once is done once, a few pieces at a time, whoever gives up waiting."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from server.errors import ParleyError
from server.flights import SharedWork
from server.tasks import Tasks


class Flights:
    """At most one piece of work per key is under way, and at most so many of all keys."""

    def __init__(self, tasks: Tasks, at_once: int) -> None:
        self._works: SharedWork[None, Exception] = SharedWork(tasks, Exception, at_once)

    async def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Wait for the work under `key`, which is begun with `work()` if there is none; raise what it raised.

        It goes on if whoever waits is cancelled.
        """
        task = self._works.begun(key, work, name)
        try:
            failure = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ParleyError("draining", "the server stops and no longer works on recordings") from None
            raise
        if failure is not None:
            raise failure
