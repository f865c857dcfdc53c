"""All sounds that nobody says, as the service wants them: the store, the player and the programs of conferences.

Decides what an announcement may be (audio, so it is asked for by GET, or a document that plays some), and what is sent
to who serves a wait or hold document: an empty SWML request, as those are the same for everybody.
`PromptLibrary` is a `server.service_prompts.Prompts`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from server.clock import monotonic
from server.conference.directives import Program
from server.conference.model import Announcement
from server.prompts.beeps import BEEPS, BeepName
from server.prompts.clip import Clip
from server.prompts.clips import ClipStore
from server.prompts.errors import PromptError
from server.prompts.fetching import RequestBody
from server.prompts.player import Player, Sink
from server.prompts.steps import Document, Play
from server.tasks import Tasks
from server.urls.check import safe_url

log = structlog.get_logger(__name__)

SWML_REQUEST: Final = RequestBody(json={"call": {}, "params": {}, "vars": {}, "envs": {}})


class PromptLibrary:
    """The sounds of a server. Owns the store it is given."""

    def __init__(self, clips: ClipStore) -> None:
        self._clips = clips
        self._tasks = Tasks()

    def start(self) -> None:
        """Make the server's own sounds in the background, so that nobody has to wait for them."""
        self._tasks.spawn(self._prepare(), "make the server's own sounds")

    async def close(self) -> None:
        """Let go of everything; nothing is played any more."""
        await self._tasks.cancel_all()
        await self._clips.close()

    @asynccontextmanager
    async def beep(self, kind: BeepName) -> AsyncIterator[Clip]:
        """Return the tone for one who comes or goes. Raises PromptError."""
        clip = await self._clips.beep(kind)
        try:
            yield clip
        finally:
            self._clips.release(clip)

    @asynccontextmanager
    async def announcement(self, announcement: Announcement) -> AsyncIterator[Clip]:
        """Return what is announced: audio, or what the document at the URL plays first. Raises PromptError."""
        method = announcement.method or "GET"
        found = await self._clips.from_url(announcement.url, method=method, body=SWML_REQUEST)
        clip = await self._first_sound(found) if isinstance(found, Document) else found
        try:
            yield clip
        finally:
            self._clips.release(clip)

    async def perform(self, program: Program, sink: Sink) -> None:
        """Play to one leg what it is to hear, until that is over or this is cancelled; it may take for ever."""
        player = Player(self._clips, sink, now=monotonic, sleep=asyncio.sleep)
        await player.run(program.url, method=program.method, body=SWML_REQUEST)

    async def _first_sound(self, document: Document) -> Clip:
        sound = next((step for step in document.steps if isinstance(step, Play)), None)
        if sound is None:
            raise PromptError("prompt_format", "the document plays nothing")
        notes = list(document.notes)
        if len(document.steps) > 1:
            notes.append("left out all but the first Play: an announcement is one sound")
        for note in notes:
            log.warning("prompt_altered", url=safe_url(document.url), note=note)
        found = await self._clips.from_url(sound.url)
        if isinstance(found, Document):
            raise PromptError("prompt_format", "what a document plays has to be audio, and this is another document")
        return found

    async def _prepare(self) -> None:
        try:
            for name in BEEPS:
                self._clips.release(await self._clips.beep(name))
            self._clips.release(await self._clips.get_default_music())
        except PromptError as error:
            log.error("sounds_not_made", code=error.code, reason=error.detail)
