"""Asking the store once for what many want at the same time.

Decides that there is one question of a kind under way, that whatever is wanted meanwhile goes into the next one, and
that a store that cannot be used is asked again until it can: nobody who waits here is ever told of an outage.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import structlog

from server.journal.errors import JournalUnavailable
from server.tasks import Tasks

K = TypeVar("K")
R = TypeVar("R")

log = structlog.get_logger(__name__)

_GATHER_S: Final = 0.004
"""While questions come faster than answers: a transaction costs more than what is in it, so let more come together."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


async def persistently(ask: Callable[[], Awaitable[R]]) -> R:
    """Return what `ask` returns, once the journal can be used."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await ask()
        except JournalUnavailable as error:
            log.warning("webhooks wait for the journal", error=str(error), pause_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


class Batcher(Generic[K, R]):
    """Gathers items; `run` answers for all of a batch at once, in order."""

    def __init__(self, run: Callable[[list[K]], Awaitable[Sequence[R]]], tasks: Tasks, name: str, most: int) -> None:
        self._run = run
        self._tasks = tasks
        self._name = name
        self._most = most
        self._waiting: deque[tuple[K, asyncio.Future[R]]] = deque()
        self._busy = False

    async def ask(self, item: K) -> R:
        """Return the answer for `item`; another exception than an outage of `run` is everybody's in the batch."""
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if not self._busy:
            self._busy = True
            self._tasks.spawn(self._work(), self._name)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                await self._answer(batch)
                if self._waiting:
                    await asyncio.sleep(_GATHER_S)
        finally:
            self._busy = False

    async def _answer(self, batch: list[tuple[K, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]
        try:
            answers = await persistently(lambda: self._run(items))
        except Exception as error:
            for _, waiting in batch:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
