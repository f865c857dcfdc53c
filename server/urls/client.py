"""The guarded HTTP client: the only way in which the server requests what a user named.

Decides how a fetch goes: check, connect, answer, redirect, and which limit holds when. It trusts no proxy and no other
setting of the environment but the certificates of the system (`SSL_CERT_FILE`), keeps no cookies, and speaks HTTP/1.1
only. What may be dialled is decided in `dial`, what a URL may look like in `check`.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import httpcore2
import structlog

from server.urls.addresses import IPAddress
from server.urls.allowance import PUBLIC_ONLY, Allowance
from server.urls.check import CheckedUrl, check_url
from server.urls.dial import GuardedNetwork, MeteredStream
from server.urls.errors import FetchError, StaleConnection
from server.urls.fetched import Fetched, exchanging
from server.urls.limits import Limits
from server.urls.pool import ConnectionPool
from server.urls.request import REDIRECTS, Method, Outgoing
from server.urls.resolve import Resolver, SystemResolver

log = structlog.get_logger(__name__)

_MOST_BUSY: Final = 132
_MOST_IDLE: Final = 96
"""As many as webhooks send at once: between two requests all of their connections are idle for a moment."""
_IDLE_S: Final = 15.0
_MOST_STALE: Final = 8
"""Kept connections that are tried; a server that restarted has closed them all."""
_FRAMING_BYTES: Final = 64 << 10
_VETTED_S: Final = 30.0
_MOST_VETTED: Final = 1024


class GuardedClient:
    """Requests user-supplied URLs; one instance for the whole server, on one event loop.

    `resolver`, `network`, `is_own` and `ssl_context` replace what the machine has. Close it with `aclose`.
    """

    def __init__(
        self,
        allowance: Allowance = PUBLIC_ONLY,
        *,
        resolver: Resolver | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        is_own: Callable[[IPAddress], bool] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.allowance = allowance
        self._resolver = resolver if resolver is not None else SystemResolver()
        self._user_agent = _user_agent()
        self._network = GuardedNetwork(allowance, self._resolver, network=network, is_own=is_own)
        self._vetted: dict[str, float] = {}
        """Names that need not be vetted again until then, on the loop's clock."""
        self._pool = ConnectionPool(
            self._network,
            ssl_context if ssl_context is not None else httpcore2.default_ssl_context(),
            most_busy=_MOST_BUSY,
            most_idle=_MOST_IDLE,
            idle_s=_IDLE_S,
        )

    async def aclose(self) -> None:
        """Close all connections; what is still being fetched fails."""
        await self._pool.aclose()
        if isinstance(self._resolver, SystemResolver):
            self._resolver.close()

    async def vet(self, url: CheckedUrl, within_s: float) -> None:
        """Raise `UrlRefused` if the name in a URL leads where the server does not go, as far as is known in that time.

        It spares users a late surprise; what is safe is decided when the URL is requested. A name that means nothing
        now may mean something then, and passes. Where everything is allowed, nothing is looked up.
        """
        loop = asyncio.get_running_loop()
        if url.address is not None or self.allowance.everything or self._vetted.get(url.host, 0.0) > loop.time():
            return
        with suppress(FetchError, TimeoutError):
            async with asyncio.timeout(within_s):
                await self._network.judged(url.host)
        if len(self._vetted) >= _MOST_VETTED:
            self._vetted.clear()
        self._vetted[url.host] = loop.time() + _VETTED_S

    @asynccontextmanager
    async def fetch(
        self,
        method: Method,
        url: str | CheckedUrl,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limits: Limits | None = None,
    ) -> AsyncIterator[Fetched]:
        """Request `url` and yield the answer, its body unread; any status is an answer.

        A URL that was checked before, under an allowance no wider than this client's, is not taken apart again; the
        addresses behind it are looked at whenever a connection is made.

        Credentials in the URL go out as Authorization. Raises `UrlRefused` or `FetchError`, here or while the body is
        read. The connection is used again only if the body was read to its end.
        """
        limits = limits if limits is not None else Limits()
        deadline = asyncio.get_running_loop().time() + limits.total_s
        checked = check_url(url, self.allowance) if isinstance(url, str) else url
        request = Outgoing(method, checked, headers or {}, content)
        for redirects_left in range(limits.max_redirects, -1, -1):
            async with self._exchange(request, limits, deadline) as fetched:
                log.debug("fetched", method=request.method, url=request.url.safe, status=fetched.status)
                location = fetched.headers.get("location") if fetched.status in REDIRECTS else None
                if location is None or not limits.max_redirects:
                    yield fetched
                    return
            if redirects_left:
                request = request.redirected(fetched.status, location, self.allowance)
        raise FetchError("too_many_redirects", f"the server redirects more than {limits.max_redirects} times")

    @asynccontextmanager
    async def _exchange(self, request: Outgoing, limits: Limits, deadline: float) -> AsyncIterator[Fetched]:
        """One request and its answer, no redirect followed."""
        response = await self._response(request, limits, deadline)
        fetched = Fetched(response, request.url.url, limits, deadline)
        stream = response.extensions["network_stream"]
        try:
            if not isinstance(stream, MeteredStream):
                raise FetchError("protocol_error", "the server switches to another protocol")
            if sum(len(name) + len(value) for name, value in response.headers) > limits.max_header_bytes:
                raise FetchError("too_large", f"the headers are larger than {limits.max_header_bytes} bytes")
            # Chunked framing may double a body, not more; what tells a server of tiny chunks from a hostile one.
            stream.allow(2 * limits.max_body_bytes + _FRAMING_BYTES)
            yield fetched
        finally:
            if isinstance(stream, MeteredStream):
                stream.keep()
            await fetched.aclose()

    async def _response(self, request: Outgoing, limits: Limits, deadline: float) -> httpcore2.Response:
        """Send a request; again on another connection, if the one that was kept had been closed meanwhile."""
        async with exchanging(deadline):
            for _ in range(_MOST_STALE):
                with suppress(StaleConnection):
                    return await self._pool.handle_async_request(self._on_the_wire(request, limits))
            return await self._pool.handle_async_request(self._on_the_wire(request, limits))

    def _on_the_wire(self, request: Outgoing, limits: Limits) -> httpcore2.Request:
        url = request.url
        timeouts = {
            "connect": limits.connect_s,
            "pool": limits.connect_s,
            "read": limits.read_s,
            "write": limits.read_s,
        }
        return httpcore2.Request(
            request.method,
            httpcore2.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
            headers=request.wire_headers(self._user_agent),
            content=request.content,
            extensions={"timeout": timeouts},
        )


def _user_agent() -> str:
    try:
        return f"Parley/{version('parley')}"
    except PackageNotFoundError:
        return "Parley"
