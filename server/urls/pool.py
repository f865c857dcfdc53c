"""Connections that are kept for the next request to the same server.

Decides which one is used again, how many requests are under way at most, and how many connections wait for another.
For a request it looks at one connection, where the library's own pool looks at all it has. What may be dialled is
decided in `dial`; HTTP is the library's.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import httpcore2

Connection = httpcore2.AsyncHTTPConnection
Server = tuple[bytes, bytes, int]
"""Scheme, host and port."""


class ConnectionPool:
    """Sends requests; lives on one event loop. Close it with `aclose`."""

    def __init__(
        self,
        network: httpcore2.AsyncNetworkBackend,
        ssl_context: ssl.SSLContext,
        *,
        most_busy: int,
        most_idle: int,
        idle_s: float,
    ) -> None:
        """Connect by way of `network`; close what was idle for `idle_s`, when there is occasion to."""
        self._network = network
        self._ssl_context = ssl_context
        self._most_idle = most_idle
        self._idle_s = idle_s
        self._places = asyncio.Semaphore(most_busy)
        self._busy: dict[Connection, Server] = {}
        self._idle: dict[Connection, Server] = {}
        """Idle for the longest time first."""
        self._kept: dict[Server, list[Connection]] = {}
        """The idle ones of each server. The last is used next, so that those too many get old."""

    async def aclose(self) -> None:
        """Close all connections; what is under way fails."""
        for connection in [*self._idle, *self._busy]:
            await connection.aclose()
        self._idle.clear()
        self._kept.clear()

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send a request and return its answer, which has its connection and its place until it is closed.

        Raises `PoolTimeout` if it gets no place within its `pool` timeout, and what the library raises.
        """
        await self._enter(request.extensions.get("timeout", {}).get("pool"))
        try:
            connection = await self._take(request.url.origin)
        except BaseException:
            self._places.release()
            raise
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await self._leave(connection)
            raise
        return httpcore2.Response(
            response.status,
            headers=response.headers,
            content=_Body(response, lambda: self._leave(connection)),
            extensions=response.extensions,
        )

    async def _enter(self, within_s: float | None) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._places.acquire()
        except TimeoutError:
            raise httpcore2.PoolTimeout("too many other requests are under way") from None

    async def _take(self, origin: httpcore2.Origin) -> Connection:
        server = (origin.scheme, origin.host, origin.port)
        while server in self._kept:
            connection = self._kept[server][-1]
            self._forget(connection)
            if not connection.has_expired():
                self._busy[connection] = server
                return connection
            await connection.aclose()
        connection = Connection(
            origin, ssl_context=self._ssl_context, keepalive_expiry=self._idle_s, network_backend=self._network
        )
        self._busy[connection] = server
        return connection

    async def _leave(self, connection: Connection) -> None:
        """Give a place back, and keep its connection if it is any good."""
        self._places.release()
        server = self._busy.pop(connection)
        if connection.is_idle() and not connection.is_closed():
            self._idle[connection] = server
            self._kept.setdefault(server, []).append(connection)
        else:
            await connection.aclose()
        while (oldest := next(iter(self._idle), None)) and (len(self._idle) > self._most_idle or oldest.has_expired()):
            self._forget(oldest)
            await oldest.aclose()

    def _forget(self, connection: Connection) -> None:
        """Count an idle connection among the idle ones no more."""
        server = self._idle.pop(connection)
        kept = self._kept[server]
        kept.remove(connection)
        if not kept:
            del self._kept[server]


class _Body:
    """The body of an answer; when it is closed, once, so is the exchange."""

    def __init__(self, response: httpcore2.Response, leave: Callable[[], Awaitable[None]]) -> None:
        self._response = response
        self._leave = leave
        self._closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._response.aiter_stream()

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._response.aclose()
        finally:
            await self._leave()
