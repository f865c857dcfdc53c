"""A small world to fetch from: sites on loopback, names, routes from public addresses to sites, and a canary."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpcore2

from server.urls.allowance import PUBLIC_ONLY, Allowance
from server.urls.client import GuardedClient

PUBLIC_IP = "93.184.215.14"
OTHER_PUBLIC_IP = "93.184.215.15"


@dataclass
class Asked:
    """A request as a site saw it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None] | None]


@dataclass
class Site:
    """An HTTP server that answers each request with raw bytes."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)


def response(
    body: bytes = b"", status: str = "200 OK", headers: Mapping[str, str] | None = None, *, length: int | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    return response(status=f"{status} Moved", headers={"Location": location})


@asynccontextmanager
async def site(answer: bytes | Answer, tls: ssl.SSLContext | None = None, greeting: bytes = b"") -> AsyncIterator[Site]:
    """Serve `answer` (raw bytes, or a function that writes them) to every request on a port of 127.0.0.1.

    `greeting` is sent to whoever connects, before he says anything.
    """
    seen = Site()
    handlers: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        writer.write(greeting)
        while (asked := await _read_request(reader)) is not None:
            seen.asked.append(asked)
            if isinstance(answer, bytes):
                writer.write(answer)
            elif (pending := answer(asked, writer)) is not None:
                await pending
            await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        try:
            await serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            handlers.discard(task)
            writer.transport.abort()

    if tls is not None:
        tls.sni_callback = lambda _socket, name, _context: seen.server_names.append(name)
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for _ in range(5):  # connections that were accepted just now get their handler
            await asyncio.sleep(0)
        for task in list(handlers):
            task.cancel()
        if handlers:
            await asyncio.wait(handlers)


async def _read_request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    request_line, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    return Asked(method, target, headers, body)


class Names:
    """A resolver with fixed answers. Each name has a list of answers: one for each look-up, the last for all later."""

    def __init__(self, answers: Mapping[str, Sequence[Iterable[str]]]) -> None:
        self._answers = {host: [list(answer) for answer in turns] for host, turns in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        turns = self._answers.get(host)
        if turns is None:
            raise OSError("no such name")
        return turns.pop(0) if len(turns) > 1 else turns[0]


class Routes(httpcore2.AsyncNetworkBackend):
    """A network in which public addresses lead to sites on loopback, and nothing leaves this machine."""

    def __init__(self, routes: Mapping[str, int] | None = None) -> None:
        self._routes = routes or {}
        self._network = httpcore2.AnyIOBackend()
        self.dialled: list[str] = []

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
        self.dialled.append(host)
        if host in self._routes:
            return await self._network.connect_tcp("127.0.0.1", self._routes[host], timeout)
        if not ip_address(host).is_loopback:
            raise httpcore2.ConnectError("nothing there")
        return await self._network.connect_tcp(host, port, timeout)


@asynccontextmanager
async def guarded(
    allowance: Allowance = PUBLIC_ONLY,
    *,
    names: Mapping[str, Sequence[Iterable[str]]] | Names | None = None,
    routes: Mapping[str, int] | Routes | None = None,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[GuardedClient]:
    """A client in this world."""
    client = GuardedClient(
        allowance,
        resolver=names if isinstance(names, Names) else Names(names or {}),
        network=routes if isinstance(routes, Routes) else Routes(routes),
        ssl_context=trust if trust is not None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )
    try:
        yield client
    finally:
        await client.aclose()


class Canary:
    """Listens on 127.0.0.1 and, where there is one, ::1; counts whoever connects."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        first = await asyncio.start_server(self._count, "127.0.0.1", 0)
        self.port = first.sockets[0].getsockname()[1]
        self._servers = [first]
        with suppress(OSError):  # a machine without IPv6
            self._servers.append(await asyncio.start_server(self._count, "::1", self.port))

    async def stop(self) -> None:
        for server in self._servers:
            server.close()

    async def visitors(self) -> int:
        """Return how many connected, having seen that the canary does count: a connection of our own comes last."""
        for server in self._servers:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            assert await reader.read() != b""
            writer.close()
            self.accepted -= 1
        return self.accepted

    async def _count(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        writer.write(response(b"tweet"))
        writer.close()
