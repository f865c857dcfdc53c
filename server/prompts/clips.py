"""Where clips come from and how long they are kept: the server's own sounds, and audio and documents behind URLs.

Decides that equal audio is decoded once however often it is fetched, that a GET is repeated only when what it brought
is no longer fresh, and then with validators, that one fetch serves all who ask meanwhile, and that audio which could
not be decoded is not tried again for a while. Memory is bounded in `shelf`, concurrency in `turns`.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

import structlog

from server.clock import monotonic
from server.prompts.beeps import BeepName
from server.prompts.clip import Clip, clip_id
from server.prompts.decode import Decoded, Decoder
from server.prompts.documents import parse
from server.prompts.errors import PromptError
from server.prompts.fetching import NO_BODY, FetchedDocument, Fetcher, RequestBody
from server.prompts.flights import Flights
from server.prompts.magic import audio_format
from server.prompts.pages import Content, Pages
from server.prompts.shelf import Shelf
from server.prompts.steps import Document, Method
from server.prompts.synthesis import OwnSound, synthesise
from server.prompts.turns import Turns
from server.tasks import Tasks
from server.urls.caching import Validators
from server.urls.check import safe_url

log = structlog.get_logger(__name__)

FAILURE_LASTS_S: Final = 60.0
_MOST_FAILURES: Final = 256
_ATTEMPTS: Final = 3
"""At having a clip before others need its place."""
_NOT_BY_POST: Final = (405, 501)


class Decodes(Protocol):
    """What the store needs of a `Decoder`."""

    async def decode(self, clip_id: str, data: bytes) -> Decoded:
        """Return the sound of a file. Raises PromptError."""


class ClipStore:
    """Owns all clips of the server. Every clip that a method returns is in use until it is given to `release`.

    Belongs to one event loop. `now` returns seconds of a clock that never steps.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        now: Callable[[], float] = monotonic,
        decoder: Decodes | None = None,
        make: Callable[[OwnSound], Awaitable[Clip]] = synthesise,
        shelf: Shelf | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._now = now
        self._decoder = decoder if decoder is not None else Decoder()
        self._make = make
        self._shelf = shelf if shelf is not None else Shelf()
        self._turns = turns if turns is not None else Turns()
        self._tasks = Tasks()
        self._pages = Pages()
        self._fetches: Flights[Content] = Flights(self._tasks)
        self._decodings: Flights[str] = Flights(self._tasks)
        self._makings: Flights[str] = Flights(self._tasks)
        self._own: dict[OwnSound, str] = {}
        """Ids of the clips that were made here."""
        self._failures: OrderedDict[str, tuple[float, PromptError]] = OrderedDict()
        """By clip id: until when it is not tried again, and why."""

    async def get_default_music(self) -> Clip:
        """Return the server's own music, which is made when it is first wanted. Raises PromptError."""
        return await self._own_sound("music")

    async def beep(self, name: BeepName) -> Clip:
        """Return the tone for one who comes or goes. Raises PromptError."""
        return await self._own_sound(name)

    async def from_url(self, url: str, *, method: Method = "GET", body: RequestBody = NO_BODY) -> Clip | Document:
        """Return the audio or the document at `url`. Raises PromptError.

        `body` is sent with a POST. A server that takes no POST there, as one of static files, is asked by GET.
        """
        for _ in range(_ATTEMPTS):
            content = await (self._by_post(url, body) if method == "POST" else self._by_get(url))
            found = content if isinstance(content, Document) else self._shelf.take(content)
            if found is not None:
                return found
        raise PromptError("prompt_store_full", "other audio took its place before it could be played")

    def use(self, clip: Clip) -> None:
        """Count one more user of a clip that is in use; each has to release it. Raises ValueError if it is not kept."""
        if self._shelf.take(clip.clip_id) is None:
            raise ValueError(f"{clip.clip_id} is not kept")

    def release(self, clip: Clip) -> None:
        """One user of the clip fewer; without any it may be dropped, and then its descriptors are closed."""
        self._shelf.release(clip.clip_id)

    async def close(self) -> None:
        """End all fetching and close all clips, whoever uses them."""
        await self._tasks.cancel_all()
        self._shelf.close()

    async def _own_sound(self, sound: OwnSound) -> Clip:
        if sound not in self._own:
            self._own[sound] = await self._makings.join(sound, partial(self._made, sound))
        clip = self._shelf.take(self._own[sound])
        if clip is None:
            raise PromptError("prompt_unavailable", "the server is stopping")
        return clip

    async def _made(self, sound: OwnSound) -> str:
        clip = await self._make(sound)
        self._shelf.put(clip, pinned=True)
        return clip.clip_id

    async def _by_post(self, url: str, body: RequestBody) -> Content:
        async with self._turns.turn(url):
            answer = await self._fetcher.fetch(url, method="POST", body=body, validators=None)
            if answer.status not in _NOT_BY_POST:
                return await self._content(url, answer)
        return await self._by_get(url)

    async def _by_get(self, url: str) -> Content:
        page = self._pages.get(url)
        if page is not None and self._now() < page.fresh_until and self._is_kept(page.content):
            return page.content
        return await self._fetches.join(url, partial(self._got, url))

    async def _got(self, url: str) -> Content:
        page = self._pages.get(url)
        known = page if page is not None and self._is_kept(page.content) else None
        validators = known.validators if known is not None and known.validators != Validators() else None
        async with self._turns.turn(url):
            answer = await self._fetcher.fetch(url, method="GET", body=NO_BODY, validators=validators)
            if answer.not_modified and known is not None and validators is not None:
                content = known.content
            else:
                content = await self._content(url, answer)
        self._pages.keep(url, content, answer, self._now())
        return content

    def _is_kept(self, content: Content) -> bool:
        return isinstance(content, Document) or content in self._shelf

    async def _content(self, url: str, answer: FetchedDocument) -> Content:
        """Return what an answer holds. Raises PromptError."""
        if not 200 <= answer.status < 300:
            raise PromptError("prompt_fetch_failed", f"the server answered with status {answer.status}")
        if audio_format(answer.body) is None:
            return parse(answer.final_url or url, answer.content_type, answer.body)
        digest = await asyncio.to_thread(lambda: hashlib.sha256(answer.body).hexdigest())
        name = clip_id(digest)
        if name in self._shelf:
            return name
        return await self._decodings.join(name, partial(self._decoded, name, url, answer.body))

    async def _decoded(self, name: str, url: str, data: bytes) -> str:
        until, failure = self._failures.get(name, (0.0, None))
        if failure is not None and self._now() < until:
            raise PromptError(failure.code, failure.detail)
        try:
            decoded = await self._decoder.decode(name, data)
        except PromptError as error:
            self._failures[name] = self._now() + FAILURE_LASTS_S, error
            self._failures.move_to_end(name)
            if len(self._failures) > _MOST_FAILURES:
                self._failures.popitem(last=False)
            raise
        for note in decoded.notes:
            log.warning("prompt_altered", url=safe_url(url), note=note)
        self._shelf.put(decoded.clip)
        return name
