"""What is to be compiled: functions of plain loops over arrays, each with the types it is compiled for.

Imported by modules of loops only, and they by `cache` where numba is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from numba.extending import register_jitable

Sample = Callable[[], tuple[Any, ...]]
"""Makes arguments of the types a loop is to be compiled for."""


@dataclass(frozen=True)
class Loop:
    """A function that numba can compile. `types`: a signature in numba's words, as `b1(u1[:,::1], i8)`, or a sample."""

    function: Callable[..., Any]
    types: str | Sample


LOOPS: Final[dict[str, Loop]] = {}
"""By name."""


def loop(types: str | Sample) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a function compiled for these types and no others: nothing is ever compiled in a tick.

    What is decorated stays as it is, and is slow: callers take the compiled one from `mixer.kernels`. Other loops may
    call it.
    """

    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        LOOPS[function.__name__] = Loop(function, types)
        return part(function)

    return note


def part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let loops call a function."""
    registered: Callable[..., Any] = register_jitable(function)
    return registered
