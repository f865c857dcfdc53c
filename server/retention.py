"""How long the log is kept: ended conferences are forgotten, with their events and deliveries, when they are old.

Decides when and in what portions. What may be forgotten (never what is still to be delivered) is the journal's affair.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from server.journal import JournalUnavailable

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
DAY_S: Final = 86_400.0
PORTION: Final = 20
"""Conferences in one transaction: other writes wait for it."""
PAUSE_S: Final = 0.5
"""Between portions, so that the writer belongs to the conferences in progress."""

Sleep = Callable[[float], Awaitable[None]]


class Store(Protocol):
    """What housekeeping needs of the journal."""

    async def prune(self, before: float, limit: int) -> int:
        """Forget at most `limit` conferences that ended before a time; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    """Forgets what is older than `days`; 0 keeps everything."""

    store: Store
    now: Callable[[], float]
    """Unix seconds."""
    days: float
    sleep: Sleep = asyncio.sleep

    async def run(self) -> None:
        """Look every hour, the first time at once, until cancelled. Returns at once if everything is kept."""
        while self.days > 0:
            await self._look()
            await self.sleep(EVERY_S)

    async def _look(self) -> None:
        before = self.now() - self.days * DAY_S
        forgotten = 0
        try:
            while portion := await self.store.prune(before, PORTION):
                forgotten += portion
                await self.sleep(PAUSE_S)
        except JournalUnavailable as error:
            log.warning("events_not_pruned", reason=str(error))
        if forgotten:
            log.info("events_pruned", conferences=forgotten, older_than_days=self.days)
