"""A transport without sockets: datagrams are put in and taken out by the test, with the times it says."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixer.transports.base import DATAGRAM_BYTES, Batch, Outgoing


@dataclass(slots=True)
class Sent:
    """A datagram the mixer sent."""

    socket: int
    destination: int
    data: bytes


class MemoryTransport:
    """See `mixer.transports.base.Transport`."""

    def __init__(self) -> None:
        self.arriving: list[tuple[int, int, bytes, int]] = []
        """(socket, source, datagram, arrival_ns) for the next tick."""
        self.sent: list[Sent] = []
        self.locked: dict[int, tuple[str, int]] = {}
        self.open: set[int] = set()
        self._out: Outgoing | None = None
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sockets = self._rows

    def lend(self, socket_id: int, fd: int, shared: bool) -> int:
        self.open.add(socket_id)
        return socket_id

    def release(self, index: int) -> None:
        self.open.remove(index)

    def lock(self, index: int, address: tuple[str, int]) -> None:
        self.locked[index] = address

    def receive(self, batch: Batch, now_ns: int, rows: int) -> None:
        taken, self.arriving = self.arriving[: batch.capacity], self.arriving[batch.capacity :]
        batch.n = len(taken)
        for i, (socket, source, data, arrival_ns) in enumerate(taken):
            batch.data[i, : len(data)] = np.frombuffer(data[:DATAGRAM_BYTES], np.uint8)
            batch.length[i], batch.source[i], batch.socket[i], batch.arrival_ns[i] = (
                len(data),
                source,
                socket,
                arrival_ns,
            )

    def route(self, out: Outgoing, rows: NDArray[np.int64], sockets: NDArray[np.int64]) -> None:
        self._out, self._rows, self._sockets = out, rows, sockets

    def send(self) -> int:
        out = self._out
        assert out is not None
        for row, socket in zip(self._rows.tolist(), self._sockets.tolist(), strict=True):
            payload = ctypes.string_at(int(out.payload_address[row]), int(out.payload_bytes[row]))
            self.sent.append(Sent(socket, int(out.destination[row]), out.header[row].tobytes() + payload))
        return len(self._rows)

    def send_to(self, index: int, destination: int, datagram: bytes) -> bool:
        self.sent.append(Sent(index, destination, datagram))
        return True

    def close(self) -> None:
        self.open.clear()
