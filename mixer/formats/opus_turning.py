"""How a leg's stream goes over from one profile to the other.

The two profiles' encoders have nothing in common that could be copied, and one hears 4 ms further ahead than the other.
So the new encoder is given what the leg hears for some time before its packets are sent, and takes over in a soft
moment, in which decoders' own cross-fade hides the change; where there is none, it is not waited for any longer.

Legs on the shared mix change together, without a step for each; those on streams of their own a few at a time, since
each is encoded twice meanwhile.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.columns import grown
from mixer.dsp.timescale import SOFT
from mixer.formats.opus_profiles import Profile

WARM_TICKS: Final = 10
LATEST_TICKS: Final = 150
"""Three seconds: people draw breath."""
AT_ONCE: Final = 4


class Turning:
    """Columns by row: `protected` bool, what each leg is sent. `warming`: shared streams to be encoded in this tick
    though nobody is sent them yet.
    """

    _COLUMNS: Final = ("protected", "_wishes", "_ticks")

    def __init__(self, capacity: int, profiles: tuple[Profile, Profile]) -> None:
        self._profiles = profiles
        """Plain and protected."""
        self.any = False
        """A leg may be on its way."""
        self.protected = np.zeros(capacity, bool)
        self.warming: set[int] = set()
        self._wishes = np.zeros(capacity, bool)
        self._ticks = np.zeros(capacity, np.int32)
        """For how long the new encoder has been hearing."""
        self._next: dict[int, opus.Encoder] = {}
        self._scratch = np.zeros(opus.MAX_PAYLOAD_BYTES, np.uint8)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in self._COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def use(self, profiles: tuple[Profile, Profile]) -> None:
        """Make encoders by these from now on."""
        self._profiles = profiles

    def encoders(self) -> Iterable[opus.Encoder]:
        """Those that have not taken over yet."""
        return self._next.values()

    def reset(self, row: int) -> None:
        """The leg is new, or gone."""
        self.protected[row] = False
        self.wish(row, False)

    def wish(self, row: int, protected: bool) -> None:
        """The leg is to be sent this profile."""
        self._wishes[row] = protected
        self._ticks[row] = 0
        self._next.pop(row, None)
        self.any = True

    def rows(self, n: int) -> NDArray[np.int64]:
        """Those of the first `n` that are not sent yet what they are to be sent. To be asked once a tick."""
        self.warming.clear()
        rows: NDArray[np.int64] = np.flatnonzero(self._wishes[:n] != self.protected[:n])
        self.any = len(rows) > 0
        return rows

    def turn_shared(
        self, rows: NDArray[np.int64], deaf: NDArray[np.bool_], mix: NDArray[np.int16], streams: tuple[int, int]
    ) -> None:
        """A tick of legs (k,) on shared streams; `deaf` (k,) bool: on silence. `streams`: plain and protected."""
        for row in [row for row in self._next if row in rows]:  # was alone until now
            del self._next[row]
            self._ticks[row] = 0
        ticks = self._ticks[rows]
        ready = ticks >= (WARM_TICKS if _is_soft(mix) else LATEST_TICKS)
        self._take_over(rows[ready | deaf])
        waiting = rows[~(ready | deaf)]
        self._ticks[waiting] += 1
        self.warming |= {streams[int(protected)] for protected in np.unique(self._wishes[waiting])}

    def turn_own(self, row: int, pcm: NDArray[np.int16]) -> opus.Encoder | None:
        """A tick of a leg on its own stream that hears `pcm` (960,); returns the encoder that takes over, if any."""
        encoder, ticks = self._next.get(row), int(self._ticks[row])
        if encoder is None:
            if len(self._next) >= AT_ONCE:
                return None
            encoder = self._next[row] = self._profiles[int(self._wishes[row])].encoder()
            ticks = 0
        elif ticks >= (WARM_TICKS if _is_soft(pcm) else LATEST_TICKS):
            self._take_over(np.array([row]))
            return self._next.pop(row)
        encoder.encode(pcm, int(self._scratch.ctypes.data))
        self._ticks[row] = ticks + 1
        return None

    def _take_over(self, rows: NDArray[np.int64]) -> None:
        self.protected[rows] = self._wishes[rows]
        self._ticks[rows] = 0


def _is_soft(pcm: NDArray[np.int16]) -> bool:
    return bool(np.abs(pcm).max() < SOFT)
