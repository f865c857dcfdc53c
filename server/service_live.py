"""Conferences in progress: what one is made of while it lives, and how it is found.

A live conference is its state (pure), its mixer process, and the sockets lent to it. All work on a conference of one
name is done under that name's lock, so that two of one name never exist at once and events stay in order.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mixer.protocol import Address, LegPart
from server.calls.model import Call
from server.conference.commands import AnnouncementReport, Report
from server.conference.model import Conference, ConferenceState
from server.mixers.handle import MixerHandle
from server.mixers.ports import MediaSocket
from server.service_recording import RecordingRun
from server.service_sounds import Sounds
from server.service_speech import Heard

Key = tuple[str, str]
"""(project id, conference name): a name means something within its project only."""


@dataclass(slots=True)
class Live:
    """A conference in progress."""

    conference: Conference
    mixer: MixerHandle
    sounds: Sounds
    report: Callable[[Report | AnnouncementReport], None]
    """Has the conference take a report when it is its turn."""
    shared: MediaSocket | None = None
    """One socket for all who joined in one request from a known address; opened for the first of them."""
    remotes: set[Address] = field(default_factory=set)
    """Far ends on the shared socket: each may be there once, as legs are told apart by it."""
    told: dict[str, LegPart] = field(default_factory=dict)
    """What the mixer was last told, by call id: the legs it has."""
    recording: RecordingRun | None = None
    """The recording that is being made; there may be none though the conference has one, if it could not be begun."""
    latest_at: float = 0.0
    """When the last of what is logged happened, since it was begun here (Unix seconds)."""
    heard: Heard = field(default_factory=Heard)
    """What the mixer told last of who speaks."""

    @property
    def key(self) -> Key:
        """Project and name."""
        return self.conference.project_id, self.conference.name

    @property
    def conference_id(self) -> str:
        """The id of the conference."""
        return self.conference.conference_id

    @property
    def ended(self) -> bool:
        """True once it is over, also while its calls are still being moved."""
        return self.conference.state is ConferenceState.ENDED


class LiveConferences:
    """Registry of conferences in progress, by id and by name."""

    def __init__(self) -> None:
        self._by_id: dict[str, Live] = {}
        self._by_key: dict[Key, Live] = {}
        self._locks: dict[Key, tuple[asyncio.Lock, list[None]]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[Live]:
        """Return those in progress now."""
        return list(self._by_id.values())

    def add(self, live: Live) -> None:
        """Know a conference from now on."""
        self._by_id[live.conference_id] = live
        self._by_key[live.key] = live
        self._idle.clear()

    def remove(self, live: Live) -> None:
        """Forget a conference that has ended."""
        self._by_id.pop(live.conference_id, None)
        if self._by_key.get(live.key) is live:
            del self._by_key[live.key]
        if not self._by_id:
            self._idle.set()

    def by_id(self, conference_id: str) -> Live | None:
        """Return the conference in progress of an id, whoever's it is."""
        return self._by_id.get(conference_id)

    def named(self, key: Key) -> Live | None:
        """Return the conference in progress under a name."""
        return self._by_key.get(key)

    def find(self, project_id: str, reference: str) -> Live | None:
        """Return a project's conference by its id, or by its name in progress."""
        live = self._by_id.get(reference)
        if live is not None and live.conference.project_id == project_id:
            return live
        return self._by_key.get((project_id, reference))

    def of(self, call: Call) -> Live | None:
        """Return the conference a call is in."""
        return self._by_id.get(call.conference_id or "")

    async def idle(self) -> None:
        """Wait until no conference is in progress."""
        await self._idle.wait()

    @asynccontextmanager
    async def locked(self, key: Key) -> AsyncIterator[None]:
        """Hold the lock of a name; those who wait get it in the order they came."""
        lock, users = self._locks.setdefault(key, (asyncio.Lock(), []))
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._locks[key]
