"""How many prompts are fetched and decoded at once, in all and from one host.

Each may hold a whole file in memory, hence the one bound; the other keeps a host that answers slowly, or never, from
holding up the music of everybody else. Waiting for one's turn ends too: there is other music to play meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from server.prompts.errors import PromptError

MOST: Final = 24
MOST_OF_A_HOST: Final = 4
PATIENCE_S: Final = 10.0


class Turns:
    """Gives turns to fetch."""

    def __init__(
        self, *, most: int = MOST, most_of_a_host: int = MOST_OF_A_HOST, patience_s: float = PATIENCE_S
    ) -> None:
        self._all = asyncio.Semaphore(most)
        self._most_of_a_host = most_of_a_host
        self._patience_s = patience_s
        self._hosts: dict[str, tuple[asyncio.Semaphore, set[object]]] = {}
        """By host: its turns, and who has one or waits for one."""

    def __len__(self) -> int:
        return len(self._hosts)

    @asynccontextmanager
    async def turn(self, url: str) -> AsyncIterator[None]:
        """Have a turn to fetch `url` while the context lasts. Raises PromptError prompt_timeout if none comes up."""
        host = _host(url)
        semaphore, users = self._hosts.setdefault(host, (asyncio.Semaphore(self._most_of_a_host), set()))
        me = object()
        users.add(me)
        try:
            await self._acquire(semaphore)
            try:
                # After the host's: who waits for a slow host must not keep others from theirs.
                await self._acquire(self._all)
                try:
                    yield
                finally:
                    self._all.release()
            finally:
                semaphore.release()
        finally:
            users.discard(me)
            if not users:
                del self._hosts[host]

    async def _acquire(self, semaphore: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await semaphore.acquire()
        except TimeoutError:
            raise PromptError("prompt_timeout", "too many other prompts are being fetched") from None


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
