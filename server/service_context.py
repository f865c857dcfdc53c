"""What every use case works with: the journal, the mixers, the ports, the calls, the conferences in progress.

This file only gathers; `service.py` puts it together and the `service_*` files use it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import uuid4

from server.calls.lobby import Lobby
from server.calls.registry import Calls
from server.conference.callbacks import Callback
from server.conference.wire import Origin
from server.errors import ParleyError, invalid
from server.journal import Journal
from server.live_events import Bell
from server.mixers.ports import MediaPorts
from server.mixers.supervisor import Mixers
from server.recordings.store import RecordingStore
from server.service_live import LiveConferences
from server.service_prompts import Prompts
from server.service_recording import Results
from server.settings import Settings
from server.tasks import Tasks
from server.urls.check import CheckedUrl, check_url
from server.urls.errors import UrlRefused
from server.webhooks.fragments import split_overrides
from server.webhooks.sender import Sender

VETTING_S: Final = 1.0
"""For finding out where a name leads, before a request that names it is answered."""


class UrlGuard(Protocol):
    """The guarded client, or one that tests script."""

    async def vet(self, url: CheckedUrl, within_s: float) -> None:
        """Raise `UrlRefused` if the name in a URL is known to lead where the server does not go."""
        ...


class Clock(Protocol):
    """The module `server.clock`, or one that tests wind by hand."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""
        ...


def new_id() -> str:
    """Return an id for a call, a conference or an event."""
    return str(uuid4())


@dataclass(slots=True)
class Context:
    """The parts of the service."""

    settings: Settings
    clock: Clock
    journal: Journal
    mixers: Mixers
    ports: MediaPorts
    lobby: Lobby
    origin: Origin
    tasks: Tasks
    """Work that comes to an end by itself."""
    prompts: Prompts
    store: RecordingStore
    """Recordings that are done."""
    recordings: Results
    """Told what comes of recordings."""
    urls: UrlGuard
    webhooks: Sender
    """Delivers what is written; told after each write that there is something."""
    bell: Bell = field(default_factory=Bell)
    """Rings after each write, for live readers."""
    new_id: Callable[[], str] = new_id
    housekeeping: Tasks = field(default_factory=Tasks)
    """Work that goes on as long as the server does."""
    calls: Calls = field(default_factory=Calls)
    live: LiveConferences = field(default_factory=LiveConferences)
    ready: bool = False
    draining: bool = False
    stopping: bool = False

    def check_takes_new(self, what: str) -> None:
        """Raise `ParleyError` unless new calls and conferences are welcome."""
        self.check_ready()
        if self.draining:
            raise ParleyError("draining", f"the server is draining and takes no new {what}")

    async def check_url(self, field: str, url: str | None) -> None:
        """Raise `ParleyError` if the server cannot or may not go to a URL; None and an empty one are no URL."""
        if not url:
            return
        try:
            await self.urls.vet(check_url(url, self.settings.url_allowance), VETTING_S)
        except UrlRefused as error:
            raise ParleyError(error.code, f"{field}: {error.detail}", fields=((field, error.detail),)) from error

    async def check_callback(self, field: str, callback: Callback | None) -> None:
        """Raise `ParleyError` if a callback's URL, or the overrides in its fragment, cannot be used."""
        if callback is None:
            return
        await self.check_url(field, callback.url)
        try:
            split_overrides(callback.url)
        except ValueError as error:
            raise invalid(field, str(error)) from error

    def check_ready(self) -> None:
        """Raise `ParleyError` while the server is starting or stopping."""
        if self.stopping:
            raise ParleyError("draining", "the server is stopping")
        if not self.ready:
            raise ParleyError("not_ready", "the server is starting")
