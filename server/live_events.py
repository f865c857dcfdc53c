"""Events as they happen: a reader that follows the log at its own pace, and the bell that wakes it.

A reader holds one batch and its place in the log, whoever reads and however slowly: what it has not read yet is on
disk. Where a client begins is decided in `service_events`, how events look on the wire in the API.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog

from server.journal import JournalUnavailable

log = structlog.get_logger(__name__)

BATCH: Final = 100
KEEP_ALIVE_S: Final = 15.0
"""After so long without an event there is a sign of life; proxies cut what is silent for a minute."""

Json = dict[str, Any]


class Bell:
    """Rings after each commit. Who waits for it takes a `strike` first, and looks for news second: none is missed."""

    def __init__(self) -> None:
        self._strike = asyncio.Event()
        self._closed = False
        self._listeners = 0
        self._alone = asyncio.Event()
        self._alone.set()

    @property
    def strike(self) -> asyncio.Event:
        """Set when the bell rings next."""
        return self._strike

    @property
    def closed(self) -> bool:
        """Everything that will ever be written has been."""
        return self._closed

    def ring(self) -> None:
        """Wake all who wait."""
        self._strike.set()
        self._strike = asyncio.Event()

    def close(self) -> None:
        """Ring for the last time: readers end once they have read everything."""
        self._closed = True
        self.ring()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Count one who listens."""
        self._listeners += 1
        self._alone.clear()
        try:
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._alone.set()

    async def left_alone(self) -> None:
        """Return when nobody listens."""
        await self._alone.wait()


class Log(Protocol):
    """What a reader needs of the journal."""

    async def live_events(self, project_id: str, after_position: int, limit: int) -> list[tuple[int, Json]]:
        """Return a project's EVENTs with their positions, in the order of writing."""
        ...


@dataclass(frozen=True, slots=True)
class Only:
    """Which events are wanted: None is any."""

    conference_id: str | None = None
    name: str | None = None

    def wants(self, event: Mapping[str, Any]) -> bool:
        """True if an EVENT is one of them."""
        params = event["params"]
        return self.conference_id in (None, params["conference_id"]) and self.name in (None, params["name"])


EVERYTHING: Final = Only()

Wait = Callable[[asyncio.Event, float], Awaitable[None]]
"""Waits for an event, at most so many seconds."""


async def wait_for(event: asyncio.Event, at_most_s: float) -> None:
    """Return when the event is set or the time is over."""
    try:
        async with asyncio.timeout(at_most_s):
            await event.wait()
    except TimeoutError:
        pass


@dataclass(frozen=True, slots=True)
class Reader:
    """Follows the events of a project."""

    source: Log
    bell: Bell
    monotonic: Callable[[], float]
    wait: Wait = wait_for

    async def batches(
        self, project_id: str, after_position: int, only: Only = EVERYTHING
    ) -> AsyncGenerator[list[Json]]:
        """Yield events in order as they are written; an empty batch is a sign of life after `KEEP_ALIVE_S` without.

        Ends when the bell is closed and all was read, or when the log cannot be read.
        """
        position, silent_until = after_position, self.monotonic() + KEEP_ALIVE_S
        with self.bell.heard():
            while True:
                strike, last_look = self.bell.strike, self.bell.closed
                try:
                    found = await self.source.live_events(project_id, position, BATCH)
                except JournalUnavailable as error:
                    log.warning("live_events_cut_short", reason=str(error))
                    return
                position = found[-1][0] if found else position
                wanted = [event for _, event in found if only.wants(event)]
                if wanted or self.monotonic() >= silent_until:
                    yield wanted
                    silent_until = self.monotonic() + KEEP_ALIVE_S
                if not found:
                    if last_look:
                        return
                    await self.wait(strike, max(0.0, silent_until - self.monotonic()))
