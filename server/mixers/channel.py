"""Messages with file descriptors over a Unix SOCK_SEQPACKET socket, on the event loop.

Sending never blocks: what a slow peer doesn't take waits here in order. Nothing the peer sent before its
end is lost, however it ended. What the messages mean is for others; so is when to close.
"""

import array
import asyncio
import contextlib
import contextvars
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

RECEIVE_BYTES: Final = 1 << 20
MAX_SEND_BYTES: Final = 128 << 10
"""Fits into the send buffer whatever the kernel gives us; commands are far shorter."""
MAX_FDS: Final = 4
MESSAGES_A_WAKE_UP: Final = 64
"""Read at most so many before the event loop gets its turn, so that one peer can't starve the others."""

_MESSAGES_AT_THE_END: Final = 100_000
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(MAX_FDS * 4)
_SEND_BUFFER_BYTES: Final = 4 << 20
_SO_SNDBUFFORCE: Final = 32  # Linux; the socket module doesn't name it
_CANNOT_TAKE_NOW: Final = {errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a new socket, with room for a burst of messages while a peer is busy."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        try:
            end.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _SEND_BUFFER_BYTES)
        except PermissionError:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    return ends


class Channel:
    """One end of a socket pair, which it owns. Create it in a running event loop.

    `on_message` is given each message and its descriptors, and owns those. `on_close` is called once when the
    peer has closed and all it sent was given to `on_message`; it is not called after `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[bytes, list[int]], None],
        on_close: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_close = on_close
        self._buffer = bytearray(RECEIVE_BYTES)
        self._queue: deque[tuple[bytes, list[int]]] = deque()
        """Messages not yet taken, with copies of their descriptors that are ours to close."""
        self._loop = asyncio.get_running_loop()
        # What a mixer says later is no part of the request that happened to start it, nor of its log context.
        contextvars.Context().run(self._loop.add_reader, sock, self._read, MESSAGES_A_WAKE_UP)
        self.closed = False

    def send(self, message: bytes, fds: Sequence[int] = ()) -> None:
        """Send now or as soon as the peer reads. The caller may close its `fds` at once.

        A closed end ignores it. Raises ValueError if the message is longer than MAX_SEND_BYTES.
        """
        if len(message) > MAX_SEND_BYTES:
            raise ValueError(f"a message of {len(message)} bytes is too long")
        if self.closed:
            return
        if not self._queue and self._sent(message, fds):
            return
        self._queue.append((message, [os.dup(fd) for fd in fds]))
        self._loop.add_writer(self._sock, self._write)

    def read_pending(self) -> None:
        """Take in, without waiting, everything the peer has sent by now."""
        self._read(_MESSAGES_AT_THE_END)

    def close(self) -> None:
        """Close this end; messages still waiting are dropped. May be called more than once."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._sock.close()
        for _, fds in self._queue:
            close_all(fds)
        self._queue.clear()

    def _read(self, at_most: int) -> None:
        for _ in range(at_most):
            if self.closed:
                return
            try:
                size, ancillary, _, _ = self._sock.recvmsg_into(
                    [self._buffer], _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except ConnectionResetError:
                # The peer died before reading all of ours. The kernel says so once, before what it sent us.
                continue
            fds = _descriptors(ancillary)
            if size == 0 and not fds:
                self.close()
                self._on_close()
                return
            self._on_message(bytes(memoryview(self._buffer)[:size]), fds)

    def _write(self) -> None:
        while self._queue:
            message, fds = self._queue[0]
            if not self._sent(message, fds):
                return
            self._queue.popleft()
            close_all(fds)
        self._loop.remove_writer(self._sock)

    def _sent(self, message: bytes, fds: Sequence[int]) -> bool:
        """Whether the message is dealt with: taken by the socket, or nobody is left to read it."""
        try:
            socket.send_fds(self._sock, [message], fds)
        except ConnectionError:
            # The peer is gone, but what it had to say is still to be read: the reader finds the end.
            pass
        except OSError as error:
            if error.errno in _CANNOT_TAKE_NOW:
                return False
            raise
        return True


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
