"""ASGI middleware for `Idempotency-Key`: the same POST again gets the first answer again and changes nothing.

A key counts within its project, method and path, for a day (the journal forgets it then). Two of one key at once: the
second waits for the first. Answers that changed nothing because the request was malformed, or because the server
could not take it now, are not kept: a corrected or later attempt under the same key is carried out.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.problems import MEDIA_TYPE
from server.errors import ParleyError, invalid
from server.journal import JournalUnavailable, RememberedAnswer

log = structlog.get_logger(__name__)

HEADER: Final = "Idempotency-Key"
MAX_KEY: Final = 255
_NOT_KEPT: Final = frozenset({400, 413, 415, 422})


class Memory(Protocol):
    """What remembers first answers: the journal."""

    async def recall(self, key: str, scope: str, now: float) -> RememberedAnswer | None:
        """Return the first answer."""
        ...

    async def remember(self, key: str, scope: str, answer: RememberedAnswer, now: float) -> None:
        """Keep a first answer."""
        ...


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Unix seconds."""
        ...


class Idempotency:
    """Answers repeated POSTs from memory."""

    def __init__(self, app: ASGIApp, memory: Memory, clock: Clock) -> None:
        self._app = app
        self._memory = memory
        self._clock = clock
        self._under_way: dict[tuple[str, str], tuple[asyncio.Lock, list[None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        key = Headers(scope=scope).get(HEADER) if scope["type"] == "http" else None
        if key is None or scope["method"] != "POST" or "project_id" not in scope["state"]:
            await self._app(scope, receive, send)
            return
        _check(key)
        place = f"{scope['state']['project_id']} POST {scope['path']}"
        async with self._alone(key, place):
            await self._once(key, place, scope, receive, send)

    async def _once(self, key: str, place: str, scope: Scope, receive: Receive, send: Send) -> None:
        body_hash = hashlib.sha256(scope["state"]["fingerprint"]).hexdigest()
        try:
            first = await self._memory.recall(key, place, self._clock.now())
        except JournalUnavailable as error:
            raise ParleyError("journal_unavailable", f"{HEADER}: earlier answers cannot be read now") from error
        if first is None:
            answer = _Recorder(send)
            await self._app(scope, receive, answer)
            await self._keep(key, place, body_hash, answer)
        elif first.body_hash != body_hash:
            raise ParleyError("idempotency_key_reused", f"{HEADER}: {key!r} was used here with another body")
        else:
            media_type = "application/json" if first.status < 400 else MEDIA_TYPE
            again = Response(first.response_body, first.status, {"Idempotency-Replayed": "true"}, media_type)
            await again(scope, receive, send)

    async def _keep(self, key: str, place: str, body_hash: str, answer: "_Recorder") -> None:
        if answer.status >= 500 or answer.status in _NOT_KEPT:
            return
        kept = RememberedAnswer(body_hash, answer.status, answer.body.decode())
        try:
            await self._memory.remember(key, place, kept, self._clock.now())
        except JournalUnavailable as error:
            # The answer is on its way and true; only a repetition would be carried out twice.
            log.error("answer_not_remembered", reason=str(error))

    @asynccontextmanager
    async def _alone(self, key: str, place: str) -> AsyncIterator[None]:
        lock, users = self._under_way.setdefault((key, place), (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._under_way[key, place]


class _Recorder:
    """A `send` that lets an answer through and keeps a copy."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self._send(message)


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise invalid(HEADER, f"must be 1 to {MAX_KEY} printable characters")
