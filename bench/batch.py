"""Many far ends on few UDP sockets: packets out and in by the batch.

Every participant has a source address of its own in 127.64.0.0/16, all of which is this machine: a socket bound to
no address sends from, and is told of, whichever one a packet names (IP_PKTINFO). So a thousand participants cost one
system call per slot each way, and the load generator takes little of the machine it measures.
"""

import errno
import socket
from typing import Any, Final

import cffi
import numpy as np
from numpy.typing import NDArray

FIRST_ADDRESS: Final = 0x7F40_0001
"""127.64.0.1, the first participant's; the others follow."""
HEADER_BYTES: Final = 12
PAYLOAD_BYTES: Final = 1500
RECEIVED_AT_ONCE: Final = 512
_BUFFER_BYTES: Final = 64 << 20

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


def address_of(participant: int) -> str:
    """The participant's own IP address."""
    return socket.inet_ntoa((FIRST_ADDRESS + participant).to_bytes(4))


def open_socket() -> socket.socket:
    """A non-blocking socket for any number of participants, on a port of the kernel's choice."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.bind(("0.0.0.0", 0))
    sock.setblocking(False)
    return sock


def _addresses(array: NDArray[Any]) -> NDArray[np.uint64]:
    """Where each row of `array` lies in memory."""
    return (array.ctypes.data + np.arange(len(array)) * array.strides[0]).astype(np.uint64)


class Outbox:
    """Messages of the participants of one slot, a row each, sent from one socket."""

    def __init__(self, sock: socket.socket, participants: NDArray[np.int64]) -> None:
        n = len(participants)
        self._fd = sock.fileno()
        self.header = np.zeros((n, HEADER_BYTES), np.uint8)
        self._to = np.zeros(n, _ADDRESS)
        self._to["family"] = socket.AF_INET
        self._control = np.zeros(n, _SEND_CONTROL)
        self._control["pktinfo_bytes"] = 28
        self._control["pktinfo_type"] = _IP_PKTINFO
        self._control["local"] = FIRST_ADDRESS + participants
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

    def aim(self, row: int, ip: str, port: int) -> None:
        """Send the row's packets to this address from now on."""
        self._to["ip"][row] = int.from_bytes(socket.inet_aton(ip))
        self._to["port"][row] = port

    def send(self, n: int) -> int:
        """Send the first `n` rows; returns how many the kernel refused."""
        refused = done = 0
        while done < n:
            at = ffi.cast("void *", self._messages.ctypes.data + done * _MESSAGE.itemsize)
            sent = _libc.sendmmsg(self._fd, at, n - done, socket.MSG_DONTWAIT)
            if sent > 0:
                done += sent
            elif ffi.errno != errno.EINTR:
                done += 1
                refused += 1
        return refused


class Inbox:
    """Room for one batch of received packets; a column per figure, valid until the next `receive`."""

    def __init__(self) -> None:
        n = RECEIVED_AT_ONCE
        self.data = np.zeros((n, PAYLOAD_BYTES), np.uint8)
        self._iov = np.zeros(n, _IOVEC)
        self._iov["base"] = _addresses(self.data)
        self._iov["bytes"] = PAYLOAD_BYTES
        self._control = np.zeros(n, _RECEIVE_CONTROL)
        self._messages = np.zeros(n, _MESSAGE)
        self._messages["iov"] = _addresses(self._iov)
        self._messages["iov_count"] = 1
        self._messages["control"] = _addresses(self._control)
        self._pointer = ffi.cast("void *", self._messages.ctypes.data)

    def receive(self, sock: socket.socket) -> int:
        """Take what has arrived, up to `RECEIVED_AT_ONCE`; returns how many."""
        self._messages["control_bytes"] = _RECEIVE_CONTROL.itemsize
        n = _libc.recvmmsg(sock.fileno(), self._pointer, RECEIVED_AT_ONCE, socket.MSG_DONTWAIT, ffi.NULL)
        return max(int(n), 0)

    def participants(self, n: int) -> NDArray[np.int64]:
        """(n,) whom each packet was sent to, by its destination address."""
        control = self._control[:n]
        if not (np.all(control["pktinfo_type"] == _IP_PKTINFO) and np.all(control["time_type"] == _SO_TIMESTAMPNS)):
            raise RuntimeError("the kernel did not say where and when packets arrived, as it was asked to")
        return control["destination"].astype(np.int64) - FIRST_ADDRESS

    def length(self, n: int) -> NDArray[np.int64]:
        """(n,) bytes of each packet."""
        return self._messages["bytes"][:n].astype(np.int64)

    def arrival_ns(self, row: int) -> int:
        """When the kernel got the packet, CLOCK_REALTIME."""
        return int(self._control["seconds"][row]) * 1_000_000_000 + int(self._control["ns"][row])
