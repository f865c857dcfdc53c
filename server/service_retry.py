"""Work that has to be written down is done again until it is: a disk that was full, or a database that was away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from server.errors import ParleyError
from server.journal import JournalUnavailable

T = TypeVar("T")

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
"""Pause before something that has to be written is tried again."""


async def until_written(act: Callable[[], Awaitable[T]], given_up: Callable[[], bool] = lambda: False) -> T:
    """Do what must be written, again and again while the journal cannot be; return what comes of it.

    Raises whatever else `act` raises, and once `given_up` says so what it raises then, too.
    """
    while True:
        try:
            return await act()
        except JournalUnavailable as error:
            if given_up():
                raise
            reason = str(error)
        except ParleyError as error:
            if error.code != "journal_unavailable" or given_up():
                raise
            reason = error.detail
        log.error("not_written_yet", reason=reason)
        await pause()


async def pause() -> None:
    """Give what is broken time to be mended."""
    await asyncio.sleep(RETRY_S)
