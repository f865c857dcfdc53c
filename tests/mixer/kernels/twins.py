"""Do the same with compiled loops and with numpy, and compare everything that is there afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.kernels import Loops
from mixer.receive.arrivals import NOTHING_NS

T = TypeVar("T")
Columns = dict[str, NDArray[Any]]

JITTER = 1e-9
"""Relative; a batch is added up in another order."""
DECIBELS = 0.01
_SCRATCH = {"worst_ns", "head", "halves", "words", "changed", "own", "mix", "gained"}
_ADDRESSES = {"quiet_at", "shared_at", "own_at", "played_at"}
_EXTREMES = {"least_now", "margin_now", "least_before", "margin_before", "longest_now", "longest_before"}


class Counted(Loops):
    """The compiled functions, and which of them were called."""

    def __init__(self, loops: Loops) -> None:
        super().__init__({name: self._counting(name, function) for name, function in vars(loops).items()})
        self.called: set[str]

    def _counting(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.called.add(name)
            return function(*arguments)

        return call


class Twins:
    """Runs the mixer's code both ways."""

    def __init__(self, loops: Loops) -> None:
        self._loops = Counted(loops)

    @contextmanager
    def using(self, *, compiled: bool) -> Iterator[None]:
        """Compiled loops, or none; then again what was there before."""
        before, kernels.loops = kernels.loops, self._loops if compiled else None
        self._loops.called = set()
        try:
            yield
        finally:
            kernels.loops = before

    def run(self, function: Callable[[], T], *names: str) -> tuple[T, T]:
        """What `function` returns compiled, and by numpy. These loops at least must have had a part in it."""
        with self.using(compiled=True):
            compiled = function()
            assert set(names) <= self._loops.called, set(names) - self._loops.called
        with self.using(compiled=False):
            by_numpy = function()
            assert not self._loops.called
        return compiled, by_numpy


def columns(thing: object, first: int | None = None, without: tuple[str, ...] = ()) -> Columns:
    """All arrays and numbers of `thing`, by name, also those of what it consists of, as copies.

    `first`: of arrays by row only so many rows. Left out are those `without`, and what is only valid within a call.
    """
    found: Columns = {}
    _collect(thing, "", found, _SCRATCH | _ADDRESSES | set(without), set())
    if first is not None:
        found = {name: value[:first] if value.ndim else value for name, value in found.items()}
    return found


def _collect(thing: object, path: str, found: Columns, without: set[str], seen: set[int]) -> None:
    if id(thing) in seen:
        return
    seen.add(id(thing))
    for name, value in vars(thing).items():
        plain = name.lstrip("_")
        if plain in without:
            continue
        if isinstance(value, np.ndarray):
            found[f"{path}{name}"] = _without_distance(value) if plain in _EXTREMES else value.copy()
        elif isinstance(value, bool | int | float):
            found[f"{path}{name}"] = np.array(value)
        elif type(value).__module__.startswith("mixer.") and hasattr(value, "__dict__"):
            _collect(value, f"{path}{name}.", found, without, seen)


def _without_distance(extremes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where nothing came, how far from nothing a shift has moved it since: numpy forgets that with the next packet."""
    told = np.abs(extremes) < NOTHING_NS // 2
    return np.where(told, extremes, np.sign(extremes) * NOTHING_NS)


def assert_same(compiled: Columns, by_numpy: Columns, **close: float) -> None:
    """Equal to the last bit; but those named, by the end of their names, within so much: `jitter` relative."""
    assert compiled.keys() == by_numpy.keys()
    for path, value in compiled.items():
        other, name = by_numpy[path], path.rsplit(".", 1)[-1]
        if name == "jitter":
            np.testing.assert_allclose(value, other, rtol=JITTER, atol=1e-9, err_msg=path)
        elif name in close:
            np.testing.assert_allclose(value, other, rtol=0, atol=close[name], err_msg=path)
        else:
            assert value.dtype == other.dtype, path
            if not np.array_equal(value, other):  # which is told by what takes much longer
                np.testing.assert_array_equal(value, other, err_msg=path)
