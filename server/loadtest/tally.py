"""What came back, counted: who got how many packets, and how many there should have been.

Nothing is decoded here, and no clock is read; a burst's listener has its packets kept for `probe`.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.loadtest import probe
from server.loadtest.sockets import HEADER_BYTES, Inbox

_EDGE_TICKS: Final = 5
"""A steady stream's packets may reach a window's ends so much late and still be whole; one that stopped is not."""


class Tally:
    """The packets of one window, by caller. `payload_type`: of the audio; everything else is not counted."""

    def __init__(self, callers: int, listener: int, payload_type: int) -> None:
        self._listener = listener
        self._payload_type = payload_type
        self._received = np.zeros(callers, np.int64)
        self._first_sequence = np.full(callers, -1, np.int64)
        self._last_sequence = np.full(callers, -1, np.int64)
        self.heard: list[probe.Heard] = []
        """What the listener got."""

    @property
    def received(self) -> int:
        """Audio packets so far."""
        return int(self._received.sum())

    @property
    def unserved(self) -> int:
        """How many got nothing at all."""
        return int((self._received == 0).sum())

    def count(self, inbox: Inbox) -> None:
        """Count what an inbox holds."""
        data, lengths, who = inbox.data, inbox.lengths(), inbox.callers()
        audio = (lengths > HEADER_BYTES) & (data[:, 0] == 0x80) & ((data[:, 1] & 0x7F) == self._payload_type)
        audio &= (who >= 0) & (who < len(self._received))
        rows = np.flatnonzero(audio)
        who = who[rows]
        sequence = data[rows, 2].astype(np.int64) << 8 | data[rows, 3]
        np.add.at(self._received, who, 1)
        self._last_sequence[who] = sequence
        new = np.flatnonzero(self._first_sequence[who] < 0)[::-1]  # reversed: of several, the first stays
        self._first_sequence[who[new]] = sequence[new]
        for i in np.flatnonzero(who == self._listener).tolist():
            row = int(rows[i])
            payload = data[row, HEADER_BYTES : lengths[row]].tobytes()
            self.heard.append(probe.Heard(int(sequence[i]), inbox.arrival_ns(row), payload))

    def delivered(self, ticks: int) -> tuple[int, int]:
        """Packets that were delivered, and that should have been, in a window of so many ticks."""
        expected = self.expected(ticks)
        return int(np.minimum(self._received, expected).sum()), int(expected.sum())

    def expected(self, ticks: int) -> NDArray[np.int64]:
        """(callers,) packets of each: as its sequence numbers say, which the window's ends do not cut short."""
        span = (self._last_sequence - self._first_sequence) % 0x1_0000 + 1
        rounds = np.maximum(np.round((ticks - span) / 0x1_0000), 0).astype(np.int64)  # numbers go round in 22 minutes
        span += rounds * 0x1_0000
        return np.where((self._received > 0) & (span >= ticks - _EDGE_TICKS), span, ticks)
