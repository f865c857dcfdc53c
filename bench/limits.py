"""A time limit for whatever is measured, so that a run comes to its end and says what did not."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

from bench.target import Server

LONGEST_S: Final = 300.0
"""For joins, settling and publishing, besides the windows."""
WINDOWS: Final = 8
"""More than anything is measured for."""


class OverdueError(Exception):
    """It was not done in time."""


def limit_s(seconds: float) -> float:
    """How long anything may take that is measured for so long."""
    return LONGEST_S + WINDOWS * seconds


@contextmanager
def within(limit_s: float) -> Iterator[None]:
    """End what is done within after so long; on the main thread only, and not one within another.

    Raises:
        OverdueError: it was not done.
    """

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise OverdueError(f"not done after {limit_s:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(server: Server, limit_s: float, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure; trouble is a result that says so, and what comes next has a server started anew."""
    try:
        with within(limit_s):
            return measure()
    except Exception as error:  # whatever it is, the others are still worth measuring
        with suppress(Exception):  # what comes next tries again, and says why if it cannot
            server.restart()
        return {"error": f"{type(error).__name__}: {error}"}
