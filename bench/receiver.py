"""Receivers of webhooks on loopback, as good or bad as wanted; fast enough not to be what is measured.

What an answer is to be is chosen by who makes a receiver, request by request. One that runs in a process of its own is
`sink`'s.
"""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final, Self

from server import clock

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"


class Answer(Enum):
    """What a request gets: what is sent, whether the event counts as processed, whether the connection ends."""

    TAKE = (b"HTTP/1.1 204 No Content\r\n\r\n", True, False)
    LOSE = (b"", True, True)
    """Processes the event, and its acknowledgement is lost."""
    BREAK = (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", False, False)
    LATER = (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", False, False)
    CLOSE = (b"", False, True)
    HANG = (b"", False, False)

    @property
    def processes(self) -> bool:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that a receiver processed."""

    at: float
    """Unix seconds."""
    body: bytes


class Receiver:
    """Listens within the running event loop."""

    def __init__(self, choose: Callable[[], Answer] = lambda: Answer.TAKE) -> None:
        self.choose = choose
        self.arrivals: list[Arrival] = []
        """In the order in which they were processed."""
        self.answered: Counter[Answer] = Counter()
        self._connections: set[asyncio.Transport] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in list(self._connections):
            transport.abort()
        await self._server.wait_closed()

    def take(self, body: bytes) -> Answer:
        """Note a request; return what it is answered."""
        answer = self.choose()
        self.answered[answer] += 1
        if answer.processes:
            self.arrivals.append(Arrival(clock.now(), body))
        return answer

    def opened(self, transport: asyncio.Transport) -> None:
        self._connections.add(transport)

    def closed(self, transport: asyncio.Transport) -> None:
        self._connections.discard(transport)


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.opened(transport)

    def connection_lost(self, error: Exception | None) -> None:
        assert self._transport is not None
        self._receiver.closed(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._unread += data
        while (body := self._next_body()) is not None:
            answer, _, ends = self._receiver.take(body).value
            if answer:
                self._transport.write(answer)
            if ends:
                self._transport.close()
                return

    def _next_body(self) -> bytes | None:
        """Take the next whole request off what came; None: there is none yet."""
        head_end = self._unread.find(_HEAD_END)
        if head_end < 0:
            return None
        length = _LENGTH.search(self._unread, 0, head_end + 2)
        begin = head_end + len(_HEAD_END)
        end = begin + (int(length[1]) if length else 0)
        if len(self._unread) < end:
            return None
        body, self._unread = self._unread[begin:end], self._unread[end:]
        return body


class ReceiverThread:
    """A receiver with an event loop and a thread of its own, for as long as the context."""

    def __init__(self, choose: Callable[[], Answer] = lambda: Answer.TAKE) -> None:
        self.receiver = Receiver(choose)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="receiver", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the receiver did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._loop is not None and self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self.receiver.start()
        self._ready.set()
        await self._stop.wait()
        await self.receiver.stop()
