"""Loops over legs and packets, compiled: what takes numpy a dozen calls for a handful of rows takes one here.

Nothing needs them. Each has a twin in numpy where it is called, which says what is done and why; the twin does the work
where `loops` is None: numba is not installed, nothing was compiled ahead, or it was switched off. Tests hold both to
the same results. `python -m mixer.kernels` compiles; a process that is to use them calls `load` before it has anything
urgent to do, such as the zygote before its first fork. Nothing is compiled later, and so nobody waits for it.
"""

import sys
from collections.abc import Callable
from typing import Any

from mixer.kernels import cache


class Loops:
    """The compiled functions of `arriving`, `sounding`, `leaving` and `plain`."""

    finish: Callable[..., None]
    parse: Callable[..., bool]
    recognise: Callable[..., bool]
    live_on: Callable[..., bool]
    count: Callable[..., None]
    place: Callable[..., bool]
    note: Callable[..., None]
    note_into: Callable[..., None]
    fit: Callable[..., bool]
    store: Callable[..., bool]
    decode_whole: Callable[..., bool]
    measure: Callable[..., int]
    judge_gains: Callable[..., int]
    add_up: Callable[..., None]
    mix_minus: Callable[..., None]
    write: Callable[..., None]
    advance: Callable[..., None]
    own_rows: Callable[..., int]
    point: Callable[..., None]
    take_plain: Callable[..., bool]
    sound_plain: Callable[..., int]

    def __init__(self, functions: dict[str, Callable[..., Any]]) -> None:
        for name, function in functions.items():
            setattr(self, name, function)


loops: Loops | None = None


def load(*, checked: bool = False) -> bool:
    """Use what was compiled ahead; False if nothing was, or not for these sources and this machine.

    `checked`: refuse arguments of other types than a loop was compiled for, instead of reading them as what they are
    not. Tests do; a mixer always passes the same columns, and looking at their types takes longer than a tick.
    """
    global loops
    if loops is None and cache.ready():
        try:
            loops = Loops(cache.functions(checked=checked))
        except Exception as error:  # whatever is wrong with what others keep: nothing needs it
            print(f"compiled loops cannot be used: {error!r}", file=sys.stderr)
    return loops is not None


def unload() -> None:
    """Do everything with numpy from now on."""
    global loops
    loops = None
