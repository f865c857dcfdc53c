"""Long lists of values in parts, each few enough for the parameters of one statement."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

MOST: Final = 500
"""Databases take tens of thousands of parameters; a plan is made for each length, and long ones are slow to make."""


def batches(values: Sequence[T], most: int = MOST) -> Iterator[Sequence[T]]:
    """Yield the values in order, at most `most` at a time."""
    for first in range(0, len(values), most):
        yield values[first : first + most]
