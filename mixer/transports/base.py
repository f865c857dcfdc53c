"""What the tick needs of a transport, and the columns datagrams travel in.

A transport moves datagrams between lent sockets and these columns; it knows nothing of RTP, calls or mixing.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

DATAGRAM_BYTES = 4096
"""Longest datagram taken; L16 at 48 kHz needs 1932 for 20 ms. Longer ones are cut by the kernel and dropped by us."""

HEADER_BYTES = 12

FLOOD_ROWS = 2048
"""Datagrams a tick taken from a shared socket beyond the legs' own. Junk from strangers has to be read to get at the
media behind it; this much, 100 000 a second, costs a few milliseconds."""

OLDEST_NS = 1_000_000_000
"""A kernel's stamp that is further in the past, or in the future, is of a wall clock that was stepped."""

LEG_ROWS = 8
"""Datagrams a tick and leg taken at most."""


class Batch:
    """Datagrams received since the last tick, a row each; the first `n` rows are valid.

    `data` (rows, DATAGRAM_BYTES) uint8; `length` (rows,) int32 bytes, more than DATAGRAM_BYTES if it was cut;
    `source` (rows,) uint64, the first eight bytes of the sender's sockaddr_in; `socket` (rows,) int32, the index
    the transport gave the socket; `arrival_ns` (rows,) int64 CLOCK_MONOTONIC, stamped by the kernel if it can.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.n = 0
        self.data = np.zeros((capacity, DATAGRAM_BYTES), np.uint8)
        self.length = np.zeros(capacity, np.int32)
        self.source = np.zeros(capacity, np.uint64)
        self.socket = np.zeros(capacity, np.int32)
        self.arrival_ns = np.zeros(capacity, np.int64)


class Outgoing:
    """One packet per leg and tick: a header of its own and a payload that may be shared, as columns by row.

    `header` (rows, 12) uint8; `payload_address` (rows,) uint64, where the payload lies in this process' memory;
    `payload_bytes` (rows,) uint64; `destination` (rows,) uint64, the sockaddr_in's first eight bytes.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.header = np.zeros((capacity, HEADER_BYTES), np.uint8)
        self.payload_address = np.zeros(capacity, np.uint64)
        self.payload_bytes = np.zeros(capacity, np.uint64)
        self.destination = np.zeros(capacity, np.uint64)


class Transport(Protocol):
    """Lent sockets, seen by the tick."""

    def lend(self, socket_id: int, fd: int, shared: bool) -> int:
        """Take a bound socket, now the transport's own. Returns its index, used again after `release`.

        OSError or ValueError if it is no UDP socket: then `fd` is still the caller's.
        """

    def release(self, index: int) -> None:
        """Close the transport's copy of a socket."""

    def lock(self, index: int, address: tuple[str, int]) -> None:
        """Make the kernel drop what comes to this unshared socket from anybody else."""

    def receive(self, batch: Batch, now_ns: int, rows: int) -> None:
        """Fill `batch` with what has arrived. `rows` legs exist: more than a fair share a tick is left or dropped."""

    def route(self, out: Outgoing, rows: NDArray[np.int64], sockets: NDArray[np.int64]) -> None:
        """Say which rows are sent on which socket from now on; called when membership changed."""

    def send(self) -> int:
        """Send every routed row's packet; returns how many the kernel took."""

    def send_to(self, index: int, destination: int, datagram: bytes) -> bool:
        """Send one datagram that is no media, such as a report."""

    def close(self) -> None:
        """Close every socket."""
