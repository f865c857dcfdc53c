"""UDP by the batch: a conference's shared socket with recvmmsg and sendmmsg, single sockets with recvmsg and sendmsg.

Nothing here blocks: a full socket buffer costs that packet, as it must in real time. Errors the network reports
about an earlier packet (a far end that is not listening yet) are cleared and forgotten.
"""

import contextlib
import select
import socket
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mixer import clock, kernels
from mixer.transports.base import DATAGRAM_BYTES, FLOOD_ROWS, LEG_ROWS, OLDEST_NS, Batch, Outgoing
from mixer.transports.libc import (
    ADDRESS,
    CONTROL,
    IOVEC,
    MESSAGE,
    MSG_DONTWAIT,
    SCM_TIMESTAMPNS,
    address_of,
    ffi,
    kernel_drops,
    libc,
)

SINGLE_SOCKET_SHARE = 16
"""Datagrams a tick taken from a socket of one call; a peer sends one or two, a flood is left to the kernel to drop."""


@dataclass(slots=True)
class _Socket:
    socket: socket.socket
    shared: bool
    dropped_before: int = 0
    """The kernel's count of its drops when last looked at; the socket may have had another mixer before."""
    first: int = 0
    """Where its messages begin in the send table."""
    count: int = 0


class _Receiver:
    """Message headers for `recvmmsg` that point into the columns of one batch."""

    def __init__(self, batch: Batch) -> None:
        n = batch.capacity
        self.batch = batch
        self.address = np.zeros(n, ADDRESS)
        self.control = np.zeros(n, CONTROL)
        self.iov = np.zeros(n, IOVEC)
        self.messages = np.zeros(n, MESSAGE)
        index = np.arange(n, dtype=np.uint64)
        self.iov["base"] = np.uint64(batch.data.ctypes.data) + index * np.uint64(DATAGRAM_BYTES)
        self.iov["bytes"] = DATAGRAM_BYTES
        self.messages["name"] = np.uint64(self.address.ctypes.data) + index * np.uint64(ADDRESS.itemsize)
        self.messages["iov"] = np.uint64(self.iov.ctypes.data) + index * np.uint64(IOVEC.itemsize)
        self.messages["iov_count"] = 1
        self.messages["control"] = np.uint64(self.control.ctypes.data) + index * np.uint64(CONTROL.itemsize)
        self.pointer = ffi.cast("char *", self.messages.ctypes.data)
        self._key = self.address["key"]
        self.bytes, self._flags = self.messages["bytes"], self.messages["flags"]
        self._control_bytes, self._type = self.messages["control_bytes"], self.control["type"]
        self._seconds, self._nanoseconds = self.control["seconds"], self.control["nanoseconds"]
        self._name_bytes = self.messages["name_bytes"]
        self._arm(n)

    def _arm(self, n: int) -> None:
        """The kernel writes over the lengths of messages it fills: they must be set before it does so again."""
        self._name_bytes[:n] = 16
        self._control_bytes[:n] = CONTROL.itemsize

    def finish(self, now_ns: int) -> None:
        """Copy what the kernel wrote into the batch's columns."""
        self._read(now_ns)
        self._arm(self.batch.n)  # and no more: in a small conference all of them would be a hundred times as many

    def _read(self, now_ns: int) -> None:
        batch, n = self.batch, self.batch.n
        wall_ns = clock.monotonic_ns() - clock.realtime_ns()
        loops = kernels.loops
        if loops is not None:
            stamps = self._control_bytes, self._type, self._seconds, self._nanoseconds
            sizes = CONTROL.itemsize, SCM_TIMESTAMPNS, socket.MSG_TRUNC, DATAGRAM_BYTES + 1
            columns = batch.source, batch.length, batch.arrival_ns
            loops.finish(n, self._key, self.bytes, self._flags, *stamps, *sizes, wall_ns, now_ns, *columns)
            return
        batch.source[:n] = self.address["key"][:n]
        batch.length[:n] = self.messages["bytes"][:n]
        cut = (self.messages["flags"][:n] & socket.MSG_TRUNC) != 0
        if cut.any():
            batch.length[:n][cut] = DATAGRAM_BYTES + 1
        stamped = (self.messages["control_bytes"][:n] == CONTROL.itemsize) & (
            self.control["type"][:n] == SCM_TIMESTAMPNS
        )
        stamps = self.control["seconds"][:n] * 1_000_000_000 + self.control["nanoseconds"][:n]
        stamps += wall_ns
        # A stepped wall clock must not put a packet into the future or the far past.
        np.clip(stamps, now_ns - OLDEST_NS, now_ns, out=stamps)
        batch.arrival_ns[:n] = np.where(stamped, stamps, now_ns)


class UdpTransport:
    """Lent UDP sockets of one mixer."""

    def __init__(self) -> None:
        self._sockets: dict[int, _Socket] = {}
        self._by_fd: dict[int, int] = {}
        self._free: list[int] = []
        self._poll = select.epoll()
        self._singles = 0
        self._overflow = 0
        self._receiver: _Receiver | None = None
        self._messages = np.zeros(0, MESSAGE)
        self._iov = np.zeros((0, 2), IOVEC)
        self._address = np.zeros(0, ADDRESS)
        self._out: Outgoing | None = None
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._base = self._bytes = np.zeros(0, np.uint64)

    def lend(self, socket_id: int, fd: int, shared: bool) -> int:
        """See `Transport.lend`."""
        lent = _Socket(socket.socket(fileno=fd), shared)
        if (lent.socket.family, lent.socket.type) != (socket.AF_INET, socket.SOCK_DGRAM):
            lent.socket.detach()
            raise ValueError("no UDP socket over IPv4")
        lent.socket.setblocking(False)
        lent.dropped_before = kernel_drops(lent.socket)
        index = self._free.pop() if self._free else len(self._sockets)
        self._sockets[index] = lent
        self._by_fd[fd] = index
        if not shared:
            self._poll.register(fd, select.EPOLLIN)
            self._singles += 1
        return index

    def release(self, index: int) -> None:
        """See `Transport.release`."""
        lent = self._sockets.pop(index)
        self._count_drops(lent)
        fd = lent.socket.fileno()
        if not lent.shared:
            self._poll.unregister(fd)
            self._singles -= 1
        del self._by_fd[fd]
        lent.socket.close()
        self._free.append(index)

    def lock(self, index: int, address: tuple[str, int]) -> None:
        """See `Transport.lock`. An address that cannot be reached from here stays unconnected: its media is dropped."""
        with contextlib.suppress(OSError):
            self._sockets[index].socket.connect(address)

    def receive(self, batch: Batch, now_ns: int, rows: int) -> None:
        """See `Transport.receive`."""
        if self._receiver is None or self._receiver.batch is not batch:
            self._receiver = _Receiver(batch)
        batch.n = 0
        for index, lent in self._sockets.items():
            if lent.shared:
                self._drain_shared(index, lent.socket.fileno(), FLOOD_ROWS + LEG_ROWS * rows)
        if self._singles:
            self._drain_singles()
        if batch.n:
            self._receiver.finish(now_ns)

    def _drain_shared(self, index: int, fd: int, share: int) -> None:
        receiver = self._receiver
        assert receiver is not None
        batch = receiver.batch
        last = min(batch.n + share, batch.capacity)
        while batch.n < last:
            pointer, room = receiver.pointer + batch.n * MESSAGE.itemsize, last - batch.n
            got = libc.recvmmsg(fd, pointer, room, MSG_DONTWAIT, ffi.NULL)
            if got <= 0:
                return
            batch.socket[batch.n : batch.n + got] = index
            batch.n += got
            if got < room:  # it stops short where there is no more
                return

    def _drain_singles(self) -> None:
        receiver = self._receiver
        assert receiver is not None
        batch = receiver.batch
        for _ in range(SINGLE_SOCKET_SHARE):
            ready = self._poll.poll(0, max(1, self._singles))
            if not ready:
                return
            for fd, _events in ready:
                if batch.n == batch.capacity:
                    return
                got = libc.recvmsg(fd, receiver.pointer + batch.n * MESSAGE.itemsize, MSG_DONTWAIT)
                if got < 0:  # an ICMP error of an earlier send, now cleared
                    continue
                receiver.bytes[batch.n] = got
                batch.socket[batch.n] = self._by_fd[fd]
                batch.n += 1

    def route(self, out: Outgoing, rows: NDArray[np.int64], sockets: NDArray[np.int64]) -> None:
        """See `Transport.route`: lay the message headers out socket by socket, so that one call sends a shared one."""
        order = np.argsort(sockets, kind="stable")
        rows, sockets = rows[order], sockets[order]
        n = len(rows)
        self._out, self._rows = out, rows
        self._messages, self._iov, self._address = (
            np.zeros(n, MESSAGE),
            np.zeros((n, 2), IOVEC),
            np.zeros(n, ADDRESS),
        )
        index = np.arange(n, dtype=np.uint64)
        self._iov["base"][:, 0] = np.uint64(out.header.ctypes.data) + rows.astype(np.uint64) * np.uint64(12)
        self._iov["bytes"][:, 0] = 12
        self._messages["iov"] = np.uint64(self._iov.ctypes.data) + index * np.uint64(2 * IOVEC.itemsize)
        self._messages["iov_count"] = 2
        self._address["key"] = out.destination[rows]
        for number, lent in self._sockets.items():
            first, last = np.searchsorted(sockets, [number, number + 1])
            lent.first, lent.count = int(first), int(last - first)
            if lent.shared:  # the others are connected
                here = index[first:last]
                self._messages["name"][first:last] = np.uint64(self._address.ctypes.data) + here * np.uint64(16)
                self._messages["name_bytes"][first:last] = 16
        self._pointer = ffi.cast("char *", self._messages.ctypes.data)
        self._base, self._bytes = self._iov["base"][:, 1], self._iov["bytes"][:, 1]

    def send(self) -> int:
        """See `Transport.send`."""
        if self._out is None or not len(self._rows):
            return 0
        self._base[:] = self._out.payload_address[self._rows]
        self._bytes[:] = self._out.payload_bytes[self._rows]
        sent = 0
        for lent in self._sockets.values():
            if lent.shared:
                sent += self._send_shared(lent)
            elif lent.count:
                pointer = self._pointer + lent.first * MESSAGE.itemsize
                sent += libc.sendmsg(lent.socket.fileno(), pointer, MSG_DONTWAIT) >= 0
        return sent

    def _send_shared(self, lent: _Socket) -> int:
        sent, at, fd = 0, 0, lent.socket.fileno()
        while at < lent.count:
            pointer = self._pointer + (lent.first + at) * MESSAGE.itemsize
            got = libc.sendmmsg(fd, pointer, lent.count - at, MSG_DONTWAIT)
            sent += max(got, 0)
            at += got if got > 0 else 1  # the first of them was refused: that packet is lost, the rest go on
        return sent

    def send_to(self, index: int, destination: int, datagram: bytes) -> bool:
        """See `Transport.send_to`."""
        lent = self._sockets[index]
        try:
            if lent.shared:
                lent.socket.sendto(datagram, address_of(destination))
            else:
                lent.socket.send(datagram)
        except OSError:
            return False
        return True

    def overflow(self) -> int:
        """Datagrams that found a lent socket's buffer full, since the transport was made; a system call a socket."""
        for lent in self._sockets.values():
            self._count_drops(lent)
        return self._overflow

    def _count_drops(self, lent: _Socket) -> None:
        now = kernel_drops(lent.socket)
        self._overflow += (now - lent.dropped_before) % (1 << 32)
        lent.dropped_before = now

    def close(self) -> None:
        """See `Transport.close`."""
        for index in list(self._sockets):
            self.release(index)
        self._poll.close()
