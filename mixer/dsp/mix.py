"""The sum of everybody, at every rate that somebody hears.

Each rate's legs are summed as they are; only the sums are resampled, one stream for each ordered pair of rates in
use. A leg hears the total at its own rate minus what it said itself: its own part of that total was never resampled,
so it cancels exactly.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.dsp.resample import Resampler

TICKS_PER_SECOND: Final = 50


class RateMix:
    """Sums and totals of one tick at each rate in use."""

    def __init__(self) -> None:
        self.sums: dict[int, NDArray[np.float32]] = {}
        self.totals: dict[int, NDArray[np.float32]] = {}
        self._converted: dict[int, NDArray[np.float32]] = {}
        self._resamplers: dict[tuple[int, int], Resampler] = {}
        self._sounding: dict[tuple[int, int], int] = {}

    def use(self, rates: set[int]) -> None:
        """Mix at these rates from now on; streams between rates that stay go on without a seam."""
        self.sums = {rate: self.sums.get(rate, _silence(rate)) for rate in rates}
        self.totals = {rate: self.totals.get(rate, _silence(rate)) for rate in rates}
        self._converted = {rate: _silence(rate) for rate in rates}
        pairs = [(a, b) for a in rates for b in rates if a != b]
        self._resamplers = {pair: self._resamplers.get(pair) or Resampler(*pair) for pair in pairs}
        self._sounding = {pair: self._sounding.get(pair, 0) for pair in pairs}

    def clear(self) -> None:
        """Set all sums to zero for a new tick."""
        for total in self.sums.values():
            total.fill(0)

    def spread(self, sounding: set[int]) -> None:
        """Make the totals of the sums. `sounding`: the rates at which somebody said something in this tick."""
        for rate, total in self.totals.items():
            np.copyto(total, self.sums[rate])
        for pair, resampler in self._resamplers.items():
            source, target = pair
            if source in sounding:
                self._sounding[pair] = 2  # ticks: the filter's memory is shorter than one
            elif self._sounding[pair]:
                self._sounding[pair] -= 1
            else:
                continue
            resampler.process(self.sums[source], self._converted[target])
            self.totals[target] += self._converted[target]


def _silence(rate: int) -> NDArray[np.float32]:
    return np.zeros(rate // TICKS_PER_SECOND, np.float32)
