"""Callers who report loss: RTCP that tells the server how much of what it sends gets lost, whatever really does.

Each caller sends a receiver report (RFC 3550 section 6.4.2) a second, alone in its datagram (RFC 5506), from when it
has been sent something: before, it does not know the stream that it is to tell of.
"""

import socket
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.loadtest.sockets import HEADER_BYTES, Inbox, Outbox
from server.loadtest.voices import TICKS_PER_S

_RECEIVER_REPORT: Final = 201
_ONE_BLOCK: Final = 0x81
"""Version 2, one report block."""
_WORDS: Final = 7
"""Length of that, as RTCP says it: 32-bit words less one."""
_REST_BYTES: Final = 4 * (_WORDS + 1) - HEADER_BYTES


class Complaints:
    """The reports of all callers.

    Args:
        loss: the share that each says was lost, 0..1.
        sockets: of each slot, as the generator has them.
        callers: numbers of each slot's callers.
        shared: whether the callers of a slot share one socket.
        ssrc: of caller 0; the others follow.
    """

    def __init__(
        self,
        loss: float,
        sockets: Sequence[list[socket.socket]],
        callers: Sequence[NDArray[np.int64]],
        ssrc: int,
        *,
        shared: bool,
    ) -> None:
        self._callers = callers
        self._outboxes = [Outbox(s, c, shared=shared) for s, c in zip(sockets, callers, strict=True)]
        self._rest = np.zeros(_REST_BYTES, np.uint8)  # all but the loss is left open
        self._rest[0] = round(255 * loss)
        for outbox, numbers in zip(self._outboxes, callers, strict=True):
            outbox.header[:, :4] = (_ONE_BLOCK, _RECEIVER_REPORT, 0, _WORDS)
            outbox.header.view(">u4")[:, 1] = ssrc + numbers
            outbox.payload_address[:] = self._rest.ctypes.data
            outbox.payload_bytes[:] = _REST_BYTES
        self._heard_ssrc = np.zeros(sum(map(len, callers)), np.int64)

    def aim(self, slot: int, row: int, ip: str, port: int) -> None:
        """Send the row's reports to this address from now on."""
        self._outboxes[slot].aim(row, ip, port)

    def note(self, inbox: Inbox, payload_type: int) -> None:
        """Learn from packets which stream each caller is sent."""
        data, who = inbox.data, inbox.callers()
        rows = np.flatnonzero(((data[:, 1] & 0x7F) == payload_type) & (who >= 0) & (who < len(self._heard_ssrc)))
        ssrc = np.ascontiguousarray(data[rows, 8:HEADER_BYTES]).view(">u4")[:, 0]
        self._heard_ssrc[who[rows]] = ssrc

    def send(self, slot: int, tick: int) -> None:
        """Send the reports of those of a slot whose turn it is."""
        callers, outbox = self._callers[slot], self._outboxes[slot]
        heard_ssrc = self._heard_ssrc[callers]
        rows = np.flatnonzero((callers % TICKS_PER_S == tick % TICKS_PER_S) & (heard_ssrc > 0))
        if len(rows):
            outbox.header.view(">u4")[rows, 2] = heard_ssrc[rows]
            outbox.send(rows)
