"""Connecting to user-supplied hosts: the one place where a name becomes an address.

The HTTP library asks this backend for a connection to a host. The backend resolves the name once, refuses it if any
answer may not be dialled, and connects to the very addresses it checked. So there is no second look-up that could
answer otherwise, and a pooled connection goes to a checked address because no other connection exists. Host, SNI and
certificate checks are the library's, and go by the name.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

import httpcore2
import structlog

from server.urls.addresses import IPAddress, Kind, unwrap
from server.urls.allowance import Allowance
from server.urls.errors import FetchError, StaleConnection, UrlRefused
from server.urls.hosts import parse_host
from server.urls.resolve import Resolver

log = structlog.get_logger(__name__)

HEAD_BUDGET_BYTES: Final = 256 << 10
"""What a server may send before its response has a status, interim responses included."""
_MOST_UNSENT_BYTES: Final = 64 << 10
_CONNECT_S: Final = 10.0
_MOST_DIALLED: Final = 4
"""Addresses of one name tried in turn; each gets its share of the time."""


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to what `allowance` does not refuse, by way of `network`."""

    def __init__(
        self,
        allowance: Allowance,
        resolver: Resolver,
        *,
        network: httpcore2.AsyncNetworkBackend | None = None,
        is_own: Callable[[IPAddress], bool] | None = None,
    ) -> None:
        self._allowance = allowance
        self._resolver = resolver
        self._network = network if network is not None else httpcore2.AnyIOBackend()
        self._is_own = is_own if is_own is not None else is_own_address

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a connection to a checked address of `host`; raise `UrlRefused` or `FetchError`."""
        within_s = timeout if timeout is not None else _CONNECT_S
        deadline = asyncio.get_running_loop().time() + within_s
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self.judged(host)
                return await self._dial(addresses[:_MOST_DIALLED], port, deadline)
        except TimeoutError:
            raise FetchError("timeout", f"no connection within {within_s:g} s", phase="connect") from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 (the library's signature)
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: no URL leads to a socket file."""
        raise UrlRefused("url_forbidden", "a URL cannot lead to a socket file")

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts, of which there is one."""
        await asyncio.sleep(seconds)

    async def judged(self, host: str) -> list[IPAddress]:
        """Resolve `host` once; return all its addresses, all of which may be dialled.

        Raises `UrlRefused`, or `FetchError` if there are none.
        """
        try:
            _, literal = parse_host(f"[{host}]" if ":" in host else host)
        except ValueError as error:
            raise UrlRefused("url_invalid", f"the URL cannot be used: {error}") from None
        addresses = [literal] if literal is not None else await self._resolved(host)
        for address in addresses:
            kind = self._allowance.refusal(address, own=self._is_own(address))
            if kind is not None:
                log.warning("url refused", host=host, address=str(address), kind=kind.value)
                raise UrlRefused("url_forbidden", _sentence(host, kind, resolved=literal is None))
        return addresses

    async def _resolved(self, host: str) -> list[IPAddress]:
        try:
            answers = await self._resolver(host)
        except TimeoutError:
            raise
        except OSError:
            raise FetchError("dns_failed", f"{host} cannot be resolved") from None
        if not answers:
            raise FetchError("dns_failed", f"{host} has no address")
        return [unwrap(ip_address(answer)) for answer in answers]

    async def _dial(self, addresses: Collection[IPAddress], port: int, deadline: float) -> httpcore2.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        error: Exception | None = None
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share_s = (deadline - loop.time()) / left
            try:
                return MeteredStream(await self._network.connect_tcp(str(address), port, timeout=share_s))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        if isinstance(error, httpcore2.ConnectTimeout):
            raise TimeoutError
        raise FetchError("connect_failed", f"nothing takes connections at port {port}") from error


class MeteredStream(httpcore2.AsyncNetworkStream):
    """A connection that gives up once its far end has sent more than it was allowed.

    Counts every byte of HTTP, also those that never show in a body: interim responses, chunk extensions, trailers. A
    request goes out whole, when its answer is waited for: the library writes head and body apart.
    """

    def __init__(self, stream: httpcore2.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left_bytes = HEAD_BUDGET_BYTES
        self._silent = True
        """Nothing has come yet in this exchange."""
        self._kept = False
        """There was an exchange before this one."""
        self._unsent = bytearray()
        self._probe: _Probe | None = None

    def keep(self) -> None:
        """Take note that an exchange is over and another may come."""
        self._left_bytes = HEAD_BUDGET_BYTES
        self._silent = self._kept = True

    def allow(self, budget_bytes: int) -> None:
        """Let the far end send so many bytes from now on."""
        self._left_bytes = budget_bytes

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Return what came, at least one byte; empty at the end.

        Raises `StaleConnection` if the end comes on a connection that was kept, before any byte of an answer (RFC
        9112 section 9.3.1): then it is not an answer to the request, which may be sent again.
        """
        try:
            if self._unsent:
                await self._flush(timeout)
            data = await self._stream.read(max_bytes, timeout)
        except httpcore2.ReadError:
            if self._silent:
                raise self._lost() from None
            raise
        if not data and self._silent:
            raise self._lost()
        self._silent = False
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise FetchError("too_large", "the server sends more than its response may take")
        return data

    def _lost(self) -> FetchError:
        if self._kept:
            return StaleConnection()
        return FetchError("connection_lost", "the server closed the connection without an answer")

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Send all of `buffer`, at once if there is much, else with what comes next."""
        self._unsent += buffer
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            await self._flush(timeout)

    async def _flush(self, timeout: float | None) -> None:  # noqa: ASYNC109
        data, self._unsent = bytes(self._unsent), bytearray()
        # Who takes no more of a request may have answered it all the same: reading will tell.
        with suppress(httpcore2.WriteError):
            await self._stream.write(data, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore2.AsyncNetworkStream:
        """Return the connection with TLS on top, its certificate checked against `server_hostname`."""
        try:
            return MeteredStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))
        except asyncio.CancelledError:
            # The library closes on every other way out of the handshake.
            await self._stream.aclose()
            raise
        except httpcore2.ConnectTimeout:
            raise FetchError("timeout", "the TLS handshake did not end in time", phase="connect") from None
        except (httpcore2.ConnectError, ValueError) as error:
            raise FetchError("tls_failed", _tls_reason(error)) from error

    def get_extra_info(self, info: str) -> Any:
        """Return what the connection below knows of itself."""
        if info == "is_readable":
            # The library asks this of every idle connection, for every request.
            if self._probe is None:
                self._probe = _Probe(self._stream.get_extra_info("socket"))
            return self._probe.readable()
        return self._stream.get_extra_info(info)


class _Probe:
    """Tells whether something can be read from a socket, or its end has come, without reading."""

    def __init__(self, watched: socket.socket) -> None:
        self._socket = watched
        self._poll = select.poll()
        if watched.fileno() >= 0:
            self._poll.register(watched, select.POLLIN)

    def readable(self) -> bool:
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))


def is_own_address(address: IPAddress) -> bool:
    """Return whether packets to `address` would stay on this machine; sends none."""
    if _source_towards(address) == address:
        return True
    # A second address of an interface is reached from its first one, but only an own one can be bound. Where the
    # kernel lets everything be bound (ip_nonlocal_bind), that says nothing.
    nowhere = ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1")
    return _can_bind(address) and not _can_bind(nowhere)


def _source_towards(address: IPAddress) -> IPAddress | None:
    try:
        with _udp_socket(address) as probe:
            probe.connect((str(address), 9))
            return unwrap(ip_address(probe.getsockname()[0]))
    except OSError:
        return None


def _can_bind(address: IPAddress) -> bool:
    try:
        with _udp_socket(address) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _udp_socket(address: IPAddress) -> socket.socket:
    return socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)


def _sentence(host: str, kind: Kind, *, resolved: bool) -> str:
    # Never the address itself: names inside a private network are nobody else's to look up.
    return f"{host} {'resolves to an address that is' if resolved else 'is'} not public ({kind})"


def _tls_reason(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not good: {cause.verify_message}"
        cause = cause.__cause__ or cause.__context__
    return "no TLS connection could be made"
