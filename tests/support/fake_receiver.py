"""A receiver of webhooks without a network: it answers as it is told and keeps what it was sent."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import httpx2

from server.urls.allowance import Allowance
from server.urls.check import CheckedUrl
from server.urls.errors import FetchError
from server.urls.limits import Limits


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it would have gone out."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.content.decode(), keep_blank_values=True))


@dataclass(slots=True)
class _Answer:
    status: int
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)

    async def read_start(self, max_bytes: int, within_s: float) -> bytes:
        return b""


@dataclass(slots=True)
class FakeReceiver:
    """Stands in for the guarded client. `statuses` are the next answers; None: the connection is refused."""

    allowance: Allowance = field(default_factory=lambda: Allowance(everything=True))
    requests: list[Request] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)

    @asynccontextmanager
    async def fetch(
        self,
        method: str,
        url: CheckedUrl,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        limits: Limits,
    ) -> AsyncIterator[_Answer]:
        self.requests.append(Request(method, url.url, headers, content or b""))
        status = self.statuses.pop(0) if self.statuses else 204
        if status is None:
            raise FetchError("connect_failed", "nobody listens")
        yield _Answer(status)

    def told(self) -> list[str]:
        """Statuses of the events told as JSON, in order."""
        return [request.json["params"]["status"] for request in self.requests]
