"""A server without processes and network: the real API, service and journal over fake mixers and a clock by hand."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import httpx2
import structlog

from server.api.app import create_app
from server.journal import Journal
from server.service import Service
from server.settings import Settings
from server.urls.check import CheckedUrl
from server.urls.errors import UrlRefused
from server.webhooks.sender import Sender
from tests.support.fake_mixers import FakeMixer, FakeMixers
from tests.support.fake_prompts import FakePrompts
from tests.support.fake_receiver import FakeReceiver

RTP = {"codec": "pcmu", "ip": "127.0.0.1", "port": 40000}
Json = dict[str, Any]
PLAYING = {"program", "announcement", "beep"}
"""Names of tasks that last as long as what they play."""
QUIET_ROUNDS = 3
SIGNING_SECRET = "a-secret-of-tests"


class HandClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.wall_s = 1_800_000_000.0
        self.steady_s = 1000.0

    def now(self) -> float:
        return self.wall_s

    def monotonic(self) -> float:
        return self.steady_s

    def pass_s(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


class FakeGuard:
    """Refuses names it is told of."""

    def __init__(self) -> None:
        self.forbidden: set[str] = set()

    async def vet(self, url: CheckedUrl, within_s: float) -> None:
        assert within_s > 0
        if url.host in self.forbidden:
            raise UrlRefused("url_forbidden", f"{url.host} resolves to an address that is not public (loopback)")


class Api:
    """A client of a server in this process."""

    def __init__(
        self,
        service: Service,
        fakes: FakeMixers,
        prompts: FakePrompts,
        clock: HandClock,
        http: httpx2.AsyncClient,
        receiver: FakeReceiver,
        urls: FakeGuard,
    ) -> None:
        self.service = service
        self.mixers = fakes
        self.prompts = prompts
        self.clock = clock
        self.http = http
        self.receiver = receiver
        """Of all webhooks."""
        self.urls = urls

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> httpx2.Response:
        if body is not None:
            options["json"] = body
        return await self.http.request(method, path, **options)

    async def get(self, path: str, status: int = 200) -> Json:
        return self._json(await self.request("GET", path), status)

    async def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Json:
        return self._json(await self.request("POST", path, body, **options), status)

    async def patch(self, path: str, body: Any, status: int = 200) -> Json:
        return self._json(await self.request("PATCH", path, body), status)

    async def delete(self, path: str, status: int = 204) -> None:
        response = await self.request("DELETE", path)
        assert response.status_code == status, response.text

    async def refused(self, method: str, path: str, body: Any, status: int, code: str, **options: Any) -> Json:
        """Send a request that must be refused, and check the whole shape of the problem."""
        response = await self.request(method, path, body, **options)
        assert response.headers["content-type"] == "application/problem+json", response.text
        problem = cast(Json, response.json())
        assert (response.status_code, problem["code"]) == (status, code), problem
        assert problem["status"] == status
        assert {"type", "title", "detail"} <= problem.keys()
        return problem

    async def call(self, port: int = 40000, **fields: Any) -> str:
        """Make a call that lives on its own; return its id."""
        body = {"media": {"rtp": {**RTP, "port": port}}, **fields}
        return cast(str, (await self.post("/v1/calls", body, 201))["call_id"])

    async def enter(self, name: str, port: int | None = 40000, **fields: Any) -> Json:
        """Call and join in one request."""
        rtp = {"codec": "pcmu"} if port is None else {**RTP, "port": port}
        return await self.post(f"/v1/conferences/{name}/participants", {"media": {"rtp": rtp}, **fields}, 201)

    async def join(self, call_id: str, name: str, status: int = 200, **fields: Any) -> Json:
        return await self.post(f"/v1/calls/{call_id}/join_conference", {"name": name, **fields}, status)

    async def statuses(self, conference_id: str) -> list[str]:
        """Return the statuses of all events of a conference; they are numbered without a gap."""
        events = (await self.get(f"/v1/conferences/{conference_id}/events"))["events"]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        return [event["params"]["status"] for event in events]

    async def delivered(self, requests: int) -> None:
        """Let everything go out that is to go out: so many requests in all."""
        for _ in range(1000):
            await self.settle()
            if len(self.receiver.requests) >= requests and not self.service.context.webhooks.backlog:
                return
        raise AssertionError(f"{len(self.receiver.requests)} requests instead of {requests}")

    def mixer_of(self, conference_id: str) -> FakeMixer:
        return self.mixers.running[conference_id]

    async def settle(self) -> None:
        """Let everything that was set off come to rest; what is being played may go on."""
        quiet = 0
        for _ in range(1000):
            names = {task.get_name() for task in self.service.context.tasks._tasks}
            quiet = 0 if names - PLAYING else quiet + 1
            if quiet == QUIET_ROUNDS:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("background tasks do not end")

    async def be_killed(self) -> None:
        """Leave all as a killed process does: nothing is ended, the journal is as the last commit left it."""
        context = self.service.context
        context.stopping = True
        await context.journal.close()
        for live in context.live.all():
            assert live.shared is not None
            live.shared.close()

    @property
    def footprint(self) -> tuple[int, int, int, int]:
        """Return what the server holds: calls, conferences, sockets, mixers."""
        context = self.service.context
        return len(context.calls), len(context.live), context.ports.in_use, len(self.mixers.running)

    @staticmethod
    def _json(response: httpx2.Response, status: int) -> Json:
        assert response.status_code == status, response.text
        return cast(Json, response.json())


EMPTY = (0, 0, 0, 1)
"""The footprint of a server without calls: only the lobby's mixer."""


def settings_for(data_dir: Path, **values: Any) -> Settings:
    """Return settings for a test; nothing of the environment is read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    with patch.dict(os.environ, kept, clear=True):
        return Settings(**{"dev": True, "data_dir": data_dir, "rtp_ports": "31000-31399", **values})


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the log of a server under test out of the report."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def make_service(
    settings: Settings,
    clock: HandClock,
    fakes: FakeMixers,
    prompts: FakePrompts,
    receiver: FakeReceiver,
    urls: FakeGuard | None = None,
) -> Service:
    """Put a service together over fakes; it is not started."""
    journal = Journal(settings.journal_url)
    webhooks = Sender(journal, receiver, clock, secret=SIGNING_SECRET, chance=lambda: 0.5)
    return Service(settings, clock, journal, fakes.as_mixers(), prompts, urls or FakeGuard(), webhooks)


@asynccontextmanager
async def serving(data_dir: Path, fakes: FakeMixers | None = None, **values: Any) -> AsyncIterator[Api]:
    """Run a server; it is stopped at the end if the test has not done so."""
    settings = settings_for(data_dir, **values)
    fakes = fakes or FakeMixers()
    clock, prompts, receiver, urls = HandClock(), FakePrompts(), FakeReceiver(), FakeGuard()
    service = make_service(settings, clock, fakes, prompts, receiver, urls)
    transport = httpx2.ASGITransport(create_app(service))
    with quiet():
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
            await service.start()
            try:
                yield Api(service, fakes, prompts, clock, http, receiver, urls)
            finally:
                if not service.context.stopping:
                    await service.stop()
