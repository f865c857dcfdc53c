"""The answer of a foreign server, its body still on the way.

Decides how a body is read: in memory, into a file, or only its start, always within the limits and the deadline of the
fetch. Whoever uses it has seen status and headers first, and need not read what he does not want.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Protocol

import httpcore2
import httpx2

from server.urls.body import decoder
from server.urls.errors import FetchError
from server.urls.limits import Limits


class Writable(Protocol):
    """A file to save a body in; writing must not block for long, so it is best a memfd or a temporary file."""

    def write(self, data: bytes, /) -> Any:
        """Take all of `data`."""


class Fetched:
    """Status and headers of a response, and ways to its body, of which one may be taken, once."""

    def __init__(self, response: httpcore2.Response, final_url: str, limits: Limits, deadline: float) -> None:
        self.status = response.status
        self.headers = httpx2.Headers(response.headers)
        """Names are case-insensitive; of a repeated header the values come joined by commas."""
        self.final_url = final_url
        """Where the answer came from after all redirects, without credentials; log it with `safe_url`."""
        self._response = response
        self._wire = response.aiter_stream()
        self._limits = limits
        self._deadline = deadline
        self._begun = False

    @property
    def content_type(self) -> str:
        """The media type in lower case and without parameters; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def not_modified(self) -> bool:
        """True if what the caller has is still good; only after a conditional request."""
        return self.status == 304

    async def read(self) -> bytes:
        """Return the body; raise `FetchError` if it is larger than allowed, late, or not complete."""
        body = bytearray()
        await self._read_all(body.extend)
        return bytes(body)

    async def save(self, file: Writable) -> int:
        """Write the body to `file` and return its bytes; raises as `read` does, with a part of it written."""
        written_bytes = 0

        def take(part: bytes) -> None:
            nonlocal written_bytes
            file.write(part)
            written_bytes += len(part)

        await self._read_all(take)
        return written_bytes

    async def read_start(self, max_bytes: int, within_s: float | None = None) -> bytes:
        """Return at most `max_bytes` of the body and drop the rest; a longer one is no error, a slow one is."""
        if within_s is not None:
            self._deadline = min(self._deadline, asyncio.get_running_loop().time() + within_s)
        start = bytearray()
        await self._pump(start.extend, max_bytes)
        return bytes(start)

    async def aclose(self) -> None:
        """Drop what was not read; the connection is kept only if nothing was left."""
        await self._wire.aclose()
        await self._response.aclose()

    async def _read_all(self, take: Callable[[bytes], Any]) -> None:
        most = self._limits.max_body_bytes
        declared = self.headers.get("content-length", "")
        # Servers that say so beforehand save us the transfer; what the others send is counted.
        if (declared.isdecimal() and int(declared) > most) or not await self._pump(take, most):
            raise FetchError("too_large", f"the body is larger than {most} bytes")

    async def _pump(self, take: Callable[[bytes], Any], room_bytes: int) -> bool:
        """Hand over up to `room_bytes` of the body; return False if there was more."""
        if self._begun:
            raise RuntimeError("a body can be read once")
        self._begun = True
        coding = decoder(self.headers.get("content-encoding", ""))
        async with exchanging(self._deadline):
            async for data in self._wire:
                part = coding.feed(data, room_bytes)
                if len(part) > room_bytes:
                    take(part[:room_bytes])
                    return False
                room_bytes -= len(part)
                take(part)
        coding.finish()
        return True


@asynccontextmanager
async def exchanging(deadline: float) -> AsyncIterator[None]:
    """Give up at `deadline` of the event loop's clock, and turn the library's exceptions into `FetchError`."""
    try:
        with _translated():
            async with asyncio.timeout_at(deadline):
                yield
    except TimeoutError:
        raise FetchError("timeout", "the exchange took too long as a whole") from None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpcore2.PoolTimeout as error:
        raise FetchError("timeout", "too many other requests are under way", phase="connect") from error
    except httpcore2.TimeoutException as error:
        raise FetchError("timeout", "the server stopped sending", phase="read") from error
    except httpcore2.NetworkError as error:
        raise FetchError("connection_lost", "the connection broke") from error
    except httpcore2.ProtocolError as error:
        raise FetchError("protocol_error", "the server does not keep to HTTP") from error
