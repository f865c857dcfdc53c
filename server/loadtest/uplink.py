"""What the network does to packets on their way to the server, in slots of time; pure, and the same for the same seed.

Each packet takes longer by a part of the jitter of its own, so later ones may overtake it. While the network holds
everything, nothing arrives; what was held arrives together when that ends.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.loadtest.load import HOLD_EVERY_S, HOLD_FROM_S

_SEED: Final = 13
_NEVER: Final = -1


class Packets(NamedTuple):
    """Packets of one moment: of which slot's outbox and which tick, and its rows."""

    slot: int
    tick: int
    rows: NDArray[np.int64]


class Uplink:
    """Packets under way. All times are numbers of slots."""

    def __init__(self, jitter_slots: int, hold_slots: int, slots_per_s: int) -> None:
        self._jitter_slots = jitter_slots
        self._hold_slots = hold_slots
        self._hold_from = round(HOLD_FROM_S * slots_per_s)
        self._hold_every = round(HOLD_EVERY_S * slots_per_s)
        self._random = np.random.default_rng(_SEED)
        self._flying: dict[int, list[Packets]] = {}
        self._opened = _NEVER

    def open(self, now: int) -> None:
        """Begin to hold, again and again, from some time after now on."""
        self._opened = now

    def put(self, packets: Packets, now: int) -> None:
        """Send packets on their way."""
        late = self._random.integers(0, self._jitter_slots + 1, len(packets.rows))
        for slots in np.unique(late).tolist():
            some = packets._replace(rows=packets.rows[late == slots])
            self._flying.setdefault(self._arrival(now + slots), []).append(some)

    def arrived(self, now: int) -> list[Packets]:
        """Take what arrives now; to be asked for each slot."""
        return self._flying.pop(now, [])

    def _arrival(self, at: int) -> int:
        if self._opened == _NEVER or not self._hold_slots:
            return at
        since = at - self._opened - self._hold_from
        held = since % self._hold_every
        return at + self._hold_slots - held if since >= 0 and held < self._hold_slots else at
