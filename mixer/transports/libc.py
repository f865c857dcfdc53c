"""The system calls of the packet path through cffi's ABI mode: no compiler, no Python object per packet.

Layouts are those of Linux on 64-bit machines: `struct mmsghdr` is 64 bytes, `struct iovec` 16, `struct sockaddr_in`
16, of which the first eight (family, port, address) identify a peer.
"""

import socket
import struct
import sys
from typing import Any

import cffi
import numpy as np

ffi = cffi.FFI()
ffi.cdef(
    """
    int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout);
    int sendmmsg(int fd, void *messages, unsigned int count, int flags);
    ssize_t recvmsg(int fd, void *message, int flags);
    ssize_t sendmsg(int fd, void *message, int flags);
    """
)
libc: Any = ffi.dlopen(None)

MESSAGE = np.dtype(
    {
        "names": ["name", "name_bytes", "iov", "iov_count", "control", "control_bytes", "flags", "bytes"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
"""`struct mmsghdr`; its first 56 bytes are a `struct msghdr`."""

IOVEC = np.dtype([("base", "u8"), ("bytes", "u8")])
ADDRESS = np.dtype([("key", "u8"), ("zero", "u8")])
"""`struct sockaddr_in` as the eight bytes that count and the eight that do not."""

CONTROL = np.dtype([("bytes", "u8"), ("level", "i4"), ("type", "i4"), ("seconds", "i8"), ("nanoseconds", "i8")])
"""One `struct cmsghdr` holding a `struct timespec`: the kernel's arrival time of a datagram (SO_TIMESTAMPNS)."""

SCM_TIMESTAMPNS = 35
SO_MEMINFO = 55
MEMINFO = struct.Struct("=9I")
"""What SO_MEMINFO answers: `enum` of linux/sock_diag.h, the last of which is SK_MEMINFO_DROPS."""
MSG_DONTWAIT = socket.MSG_DONTWAIT
MSG_TRUNC = socket.MSG_TRUNC


def address_key(ip: str, port: int) -> int:
    """The eight bytes of a sockaddr_in as one integer of this machine's byte order."""
    raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(ip)
    return int.from_bytes(raw, sys.byteorder)


def kernel_drops(sock: socket.socket) -> int:
    """Datagrams the kernel has thrown away at a socket since it was made, modulo 2**32; 0 where it doesn't say.

    Nearly always because the receive buffer was full. It is the count that SO_RXQ_OVFL puts beside every datagram, but
    read when it is wanted: that costs the packet path nothing, and is right even if no datagram follows.
    """
    try:
        return int(MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size))[-1])
    except (OSError, struct.error):  # not every sandbox that calls itself Linux has it
        return 0


def address_of(key: int) -> tuple[str, int]:
    """The inverse of `address_key`."""
    raw = key.to_bytes(8, sys.byteorder)
    return socket.inet_ntoa(raw[4:8]), int.from_bytes(raw[2:4], "big")
