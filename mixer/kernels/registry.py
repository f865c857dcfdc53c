"""What is to be compiled: functions of plain loops over arrays, each with the types it is compiled for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Loop:
    """A function that numba can compile. `signature`: numba's words, such as `b1(u1[:,::1], i8)`."""

    function: Callable[..., Any]
    signature: str


LOOPS: Final[dict[str, Loop]] = {}
"""By name."""


def loop(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have a function compiled for these types and no others: nothing is ever compiled in a tick.

    What is decorated stays as it is, and is slow: callers take the compiled one from `mixer.kernels`.
    """

    def note(function: Callable[..., Any]) -> Callable[..., Any]:
        LOOPS[function.__name__] = Loop(function, signature)
        return function

    return note
