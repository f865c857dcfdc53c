"""Columns of a table that grows: every table of legs keeps its facts in arrays with a row per leg."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grown(column: NDArray[Any], capacity: int, fill: float = 0) -> NDArray[Any]:
    """A copy of `column` (rows, ...) with `capacity` rows, at least as many as before; the new ones hold `fill`."""
    larger = np.zeros((capacity, *column.shape[1:]), column.dtype)  # memory that is not touched costs nothing
    larger[: len(column)] = column
    if fill:
        larger[len(column) :] = fill
    return larger
