"""Many callers on few UDP sockets: packets out and in by the batch.

On one machine with the server every caller has a source address of its own in 127.64.0.0/16, all of which is this
machine: a socket bound to no address sends from, and is told of, whichever one a packet names (IP_PKTINFO). So a
thousand callers cost one system call per slot each way, and the load takes little of the machine it measures. To
reach another machine every caller has a socket of its own, and packets are only handled by the batch.
"""

import errno
import socket
from pathlib import Path
from typing import Any, Final

import cffi
import numpy as np
from numpy.typing import NDArray

FIRST_ADDRESS: Final = 0x7F40_0001
"""127.64.0.1, the first caller's; the others follow."""
HEADER_BYTES: Final = 12
PAYLOAD_BYTES: Final = 1500
RECEIVED_AT_ONCE: Final = 512
_SHARED_BUFFER_BYTES: Final = 64 << 20
_OWN_BUFFER_BYTES: Final = 512 << 10

_SO_TIMESTAMPNS: Final = 35
_IP_PKTINFO: Final = 8
_SO_RCVBUFFORCE: Final = 33

ffi = cffi.FFI()
ffi.cdef(
    """
    int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout);
    int sendmmsg(int fd, void *messages, unsigned int count, int flags);
    """
)
_libc: Any = ffi.dlopen(None)

# The kernel's own layouts on 64-bit Linux.
_MESSAGE: Final = np.dtype(
    {
        "names": ["name", "name_bytes", "iov", "iov_count", "control", "control_bytes", "flags", "bytes"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
_IOVEC: Final = np.dtype([("base", "u8"), ("bytes", "u8")])
_ADDRESS: Final = np.dtype([("family", "u2"), ("port", ">u2"), ("ip", ">u4"), ("zero", "u8")])
_PKTINFO: Final = [
    ("pktinfo_bytes", "u8"), ("pktinfo_level", "i4"), ("pktinfo_type", "i4"),
    ("interface", "i4"), ("local", ">u4"), ("destination", ">u4"), ("pad", "u4"),
]  # fmt: skip
_SEND_CONTROL: Final = np.dtype(_PKTINFO)
_RECEIVE_CONTROL: Final = np.dtype(
    [("time_bytes", "u8"), ("time_level", "i4"), ("time_type", "i4"), ("seconds", "i8"), ("ns", "i8"), *_PKTINFO]
)


def address_of(caller: int) -> str:
    """The caller's own IP address on this machine."""
    return socket.inet_ntoa((FIRST_ADDRESS + caller).to_bytes(4, "big"))


def open_socket(ip: str | None = None) -> socket.socket:
    """A non-blocking socket on a port of the kernel's choice: one caller's on `ip`, or, without, any number's."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    size = _SHARED_BUFFER_BYTES if ip is None else _OWN_BUFFER_BYTES
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.bind((ip or "0.0.0.0", 0))
    sock.setblocking(False)
    return sock


def udp_drops(ports: set[int]) -> int:
    """Datagrams that this machine's sockets on these ports had no room for."""
    dropped = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) in ports:
            dropped += int(fields[-1])
    return dropped


def _addresses(array: NDArray[Any]) -> NDArray[np.uint64]:
    """Where each row of `array` lies in memory."""
    return (array.ctypes.data + np.arange(len(array)) * array.strides[0]).astype(np.uint64)


class Outbox:
    """Packets of the callers of one slot, a row each.

    Args:
        sockets: one for each row, or the first one for all.
        callers: (rows,) numbers.
        shared: whether all share one socket, and each sends from the address of its number.
    """

    def __init__(self, sockets: list[socket.socket], callers: NDArray[np.int64], *, shared: bool) -> None:
        n = len(callers)
        self._shared = shared
        self._fds = [sock.fileno() for sock in sockets]
        self.header = np.zeros((n, HEADER_BYTES), np.uint8)
        self._to = np.zeros(n, _ADDRESS)
        self._to["family"] = socket.AF_INET
        self._control = np.zeros(n, _SEND_CONTROL)
        self._control["pktinfo_bytes"] = 28
        self._control["pktinfo_type"] = _IP_PKTINFO
        if shared:
            self._control["local"] = FIRST_ADDRESS + callers
        self._iov = np.zeros((n, 2), _IOVEC)
        self._iov["base"][:, 0] = _addresses(self.header)
        self._iov["bytes"][:, 0] = HEADER_BYTES
        self.payload_address = self._iov["base"][:, 1]
        self.payload_bytes = self._iov["bytes"][:, 1]
        self._messages = np.zeros(n, _MESSAGE)
        self._messages["name"] = _addresses(self._to)
        self._messages["name_bytes"] = 16
        self._messages["iov"] = _addresses(self._iov)
        self._messages["iov_count"] = 2
        self._messages["control"] = _addresses(self._control)
        self._messages["control_bytes"] = _SEND_CONTROL.itemsize
        self._chosen = np.zeros(n, _MESSAGE)

    def aim(self, row: int, ip: str, port: int) -> None:
        """Send the row's packets to this address from now on."""
        self._to["ip"][row] = int.from_bytes(socket.inet_aton(ip), "big")
        self._to["port"][row] = port

    def send(self, rows: NDArray[np.int64]) -> int:
        """Send these rows; returns how many the kernel refused."""
        if self._shared:
            n = len(rows)
            self._chosen[:n] = self._messages[rows]
            return _send(self._fds[0], self._chosen, 0, n)
        return sum(_send(self._fds[row], self._messages, row, 1) for row in rows.tolist())


def _send(fd: int, messages: NDArray[Any], start: int, n: int) -> int:
    """Send `n` messages from `start`; returns how many the kernel refused."""
    refused = done = 0
    while done < n:
        at = ffi.cast("void *", messages.ctypes.data + (start + done) * _MESSAGE.itemsize)
        sent = _libc.sendmmsg(fd, at, n - done, socket.MSG_DONTWAIT)
        if sent > 0:
            done += sent
        elif ffi.errno != errno.EINTR:
            done += 1
            refused += 1
    return refused


class Inbox:
    """Room for one batch of received packets, of one or many sockets; valid until `clear`."""

    def __init__(self) -> None:
        n = RECEIVED_AT_ONCE
        self._data = np.zeros((n, PAYLOAD_BYTES), np.uint8)
        self._iov = np.zeros(n, _IOVEC)
        self._iov["base"] = _addresses(self._data)
        self._iov["bytes"] = PAYLOAD_BYTES
        self._control = np.zeros(n, _RECEIVE_CONTROL)
        self._messages = np.zeros(n, _MESSAGE)
        self._messages["iov"] = _addresses(self._iov)
        self._messages["iov_count"] = 1
        self._messages["control"] = _addresses(self._control)
        self._address = self._messages.ctypes.data
        self._owner = np.full(n, -1, np.int64)
        self.filled = 0
        """Packets there are."""

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken."""
        return self.filled == RECEIVED_AT_ONCE

    def clear(self) -> None:
        """Forget what was received."""
        self.filled = 0

    def take(self, fd: int, owner: int | None) -> None:
        """Take what has arrived on a socket, as far as there is room. `owner`: whose it is; None: shared."""
        at = self.filled
        self._messages["control_bytes"][at:] = _RECEIVE_CONTROL.itemsize
        pointer = ffi.cast("void *", self._address + at * _MESSAGE.itemsize)
        n = max(int(_libc.recvmmsg(fd, pointer, RECEIVED_AT_ONCE - at, socket.MSG_DONTWAIT, ffi.NULL)), 0)
        self._owner[at : at + n] = -1 if owner is None else owner
        self.filled += n

    @property
    def data(self) -> NDArray[np.uint8]:
        """(filled, PAYLOAD_BYTES) datagrams."""
        return self._data[: self.filled]

    def callers(self) -> NDArray[np.int64]:
        """(filled,) whom each packet was sent to: whose socket it is, or, on a shared one, whose address."""
        control = self._control[: self.filled]
        if not (np.all(control["pktinfo_type"] == _IP_PKTINFO) and np.all(control["time_type"] == _SO_TIMESTAMPNS)):
            raise RuntimeError("the kernel did not say where and when packets arrived, as it was asked to")
        by_address = control["destination"].astype(np.int64) - FIRST_ADDRESS
        owner = self._owner[: self.filled]
        return np.where(owner >= 0, owner, by_address)

    def lengths(self) -> NDArray[np.int64]:
        """(filled,) bytes of each packet."""
        return self._messages["bytes"][: self.filled].astype(np.int64)

    def arrival_ns(self, row: int) -> int:
        """When the kernel got the packet, CLOCK_REALTIME."""
        return int(self._control["seconds"][row]) * 1_000_000_000 + int(self._control["ns"][row])
