"""One message of the control sockets: a SOCK_SEQPACKET packet of JSON with file descriptors beside it.

This file knows how to take a packet and its descriptors off a socket without leaking any. What the bytes mean
is `protocol`'s business, what to do about them the caller's.
"""

import array
import contextlib
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_FDS: Final = 4
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(MAX_FDS * 4)
_SEND_BUFFER_BYTES: Final = 4 << 20
_SO_SNDBUFFORCE: Final = 32  # Linux; the socket module doesn't name it


@dataclass(frozen=True, slots=True)
class Packet:
    """One received message. Whoever holds it owns `fds` and must close or keep them."""

    data: bytes
    fds: list[int]
    whole: bool
    """False if the kernel cut the bytes or the descriptors off: then it is not to be trusted."""


def receive(sock: socket.socket, buffer: bytearray) -> Packet | None:
    """Take the next packet. None at the end: the peer has closed, and everything it sent has been read.

    `buffer` is the caller's scratch memory of MAX_MESSAGE_BYTES. Raises BlockingIOError if `sock` is
    non-blocking and nothing is there.
    """
    while True:
        try:
            size, ancillary, flags, _ = sock.recvmsg_into([buffer], _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            # The peer died before reading all of ours. The kernel says so once, before what it sent to us.
            continue
        break
    fds = _descriptors(ancillary)
    if size == 0 and not fds:
        return None
    whole = not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    return Packet(bytes(memoryview(buffer)[:size]), fds, whole)


def enlarge_send_buffer(sock: socket.socket) -> None:
    """Make room for a burst of messages while the peer is busy; as much as the kernel allows us."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors nobody wants."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)
