"""What single legs of a table hear besides the mix, set anew in every tick: whispers, announcements, what not to hear.

The mix stays one sum for all; these are its few exceptions, so nothing grows with the square of the legs.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

DUCKED: Final = np.float32(0.25)
"""Speech is turned down by 12 dB under an announcement."""


class Asides:
    """The exceptions of one tick."""

    def __init__(self) -> None:
        self.extra: dict[int, NDArray[np.float32]] = {}
        """What is added to the mix of a leg that hears it, by row: (samples,) each."""
        self.ducked: set[int] = set()
        """Rows whose mix is turned down under what is added."""
        self.private: dict[int, tuple[int, int]] = {}
        """Clip and tick that a leg is played instead of its program, by row."""
        self.instead: tuple[int, int] | None = None
        """Clip and tick that all who do not hear the mix are played instead."""
        self.duck: NDArray[np.float32] | None = None
        """(samples,): what everybody's speech was multiplied with in the total."""

    def clear(self) -> None:
        """Begin a new tick."""
        self.extra.clear()
        self.ducked.clear()
        self.private.clear()
        self.instead = self.duck = None

    def add(self, row: int, sound: NDArray[np.float32]) -> None:
        """Let a leg hear `sound` (samples,) beside the mix."""
        heard = self.extra.get(row)
        self.extra[row] = sound.copy() if heard is None else heard + sound

    def apply(self, mix: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Add what they are told to the mixes (len(rows), samples) of these legs, in place. `rows` ascend."""
        for row, sound in self.extra.items():
            at = int(np.searchsorted(rows, row))
            if at < len(rows) and rows[at] == row:
                if row in self.ducked:
                    mix[at] *= DUCKED
                mix[at] += sound
