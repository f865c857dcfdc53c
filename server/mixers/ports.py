"""Media sockets: which UDP port each gets, and how it is set up. The server opens them; mixers only borrow.

Ports are even (RFC 3550 section 11; RTCP is muxed, so the odd one stays unused) and random, because a
stranger who can guess the next port can be there first. What is sent or received on a socket is the mixers'
business.
"""

import contextlib
import errno
import itertools
import random
import socket
from typing import Final

from mixer.protocol import Address
from server.mixers.errors import OutOfPorts, RemoteUnreachable

SHARED_RECEIVE_BYTES: Final = 8 << 20
"""A shared socket takes the packets of a thousand calls; the kernel's default holds 256."""
OWN_RECEIVE_BYTES: Final = 512 << 10

# Linux socket options that the socket module doesn't name.
_SO_RCVBUFFORCE: Final = 33
_SO_TIMESTAMPNS: Final = 35


class MediaSocket:
    """A bound UDP socket that outlives the mixers it is lent to. `close` frees its port."""

    def __init__(
        self,
        ports: "MediaPorts",
        sock: socket.socket,
        address: Address,
        *,
        shared: bool,
        remote: Address | None,
    ) -> None:
        self._ports = ports
        self._sock = sock
        self.socket_id: Final = next(ports.socket_ids)
        self.address: Final = address
        self.shared: Final = shared
        self.remote: Final = remote
        """The far end this socket is connected to, if it was known from the start."""

    @property
    def port(self) -> int:
        """The UDP port it is bound to."""
        return self.address.port

    def fileno(self) -> int:
        """Its descriptor; -1 once closed."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close the server's copy and free the port. May be called more than once.

        A mixer that was lent the socket keeps the port bound until it returns it or ends; `MediaPorts`
        passes over the port until then.
        """
        if self._sock.fileno() >= 0:
            self._sock.close()
            self._ports.freed(self.port)


class MediaPorts:
    """The even UDP ports of `first`..`last` (inclusive) on the IPv4 address `bind_ip`, which may be
    0.0.0.0."""

    def __init__(self, first: int, last: int, bind_ip: str) -> None:
        if not 1 <= first <= last <= 65_535:
            raise ValueError(f"media ports {first}-{last} are not a range within 1-65535")
        self._free = list(range(first + first % 2, last + 1, 2))
        if not self._free:
            raise ValueError(f"there is no even port within {first}-{last}")
        self._bind_ip = bind_ip
        self._random = random.SystemRandom()
        self.capacity: Final = len(self._free)
        self.socket_ids: Final = itertools.count(1)

    @property
    def in_use(self) -> int:
        """How many sockets of ours are open."""
        return self.capacity - len(self._free)

    def open(self, *, shared: bool, remote: Address | None = None) -> MediaSocket:
        """Bind a socket to a random free port; one of our own (not shared) is connected to a known `remote`.

        Raises OutOfPorts, or RemoteUnreachable if the kernel has no way to `remote`; OSError if `bind_ip`
        is not an address of this host.
        """
        passed_over: list[int] = []
        try:
            while self._free:
                port = self._take_any()
                sock = self._bound(port)
                if sock is None:
                    passed_over.append(port)
                else:
                    return self._set_up(sock, port, shared=shared, remote=None if shared else remote)
        finally:
            self._free += passed_over
        others = f"; other programs hold {len(passed_over)} of them" if passed_over else ""
        raise OutOfPorts(f"all {self.capacity} media ports are in use{others}")

    def freed(self, port: int) -> None:
        """Take back the port of a closed socket."""
        self._free.append(port)

    def _take_any(self) -> int:
        index = self._random.randrange(len(self._free))
        self._free[index], self._free[-1] = self._free[-1], self._free[index]
        return self._free.pop()

    def _bound(self, port: int) -> socket.socket | None:
        """A socket on `port`; None if another program has it."""
        sock: socket.socket | None = None
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sock.bind((self._bind_ip, port))
        except OSError as error:
            if sock is not None:
                sock.close()
            if error.errno == errno.EADDRINUSE:
                return None
            self.freed(port)
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise OutOfPorts("no more files may be opened; raise `ulimit -n`") from error
            raise
        return sock

    def _set_up(self, sock: socket.socket, port: int, *, shared: bool, remote: Address | None) -> MediaSocket:
        try:
            _set_receive_buffer(sock, SHARED_RECEIVE_BYTES if shared else OWN_RECEIVE_BYTES)
            # The kernel's arrival time of each packet: jitter must not include our own wake-up.
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            if remote is not None:
                # From now on the kernel drops what anybody else sends.
                sock.connect((remote.ip, remote.port))
        except OSError as error:
            sock.close()
            self.freed(port)
            raise RemoteUnreachable(f"{remote}: {error.strerror}") from error
        return MediaSocket(self, sock, Address(self._bind_ip, port), shared=shared, remote=remote)


def _set_receive_buffer(sock: socket.socket, size_bytes: int) -> None:
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size_bytes)
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size_bytes)
