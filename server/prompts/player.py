"""What one participant hears who does not hear the conference: music, a file again and again, or a document's steps.

Decides what follows from a URL (`run`), how a document is carried out, how often one may redirect, and that whatever
cannot be had is replaced by the server's own music, with a warning in the log. Sound goes to a sink, time is asked of
functions, so a test can wait for an hour in no time.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import structlog

from server.prompts.clip import Clip
from server.prompts.errors import PromptError
from server.prompts.fetching import NO_BODY, RequestBody
from server.prompts.steps import Document, Method, Pause, Play, Redirect
from server.urls.check import safe_url

log = structlog.get_logger(__name__)

AUDIO_EXTENSIONS: Final = frozenset(
    {"aac", "aif", "aiff", "au", "flac", "gsm", "m4a", "mp3", "oga", "ogg", "opus", "ulaw", "wav", "wave", "wma"}
)
"""Of file names; also of formats that are not played, as the answer will tell."""
LEAST_BETWEEN_DOCUMENTS_S: Final = 1.0
MOST_SILENT_REDIRECTS: Final = 10
MOST_WARNINGS: Final = 100
"""Of one participant's program."""


class Sink(Protocol):
    """Where the participant's sound goes."""

    async def play(self, clip: Clip, *, loop: bool = False) -> None:
        """Play a clip from its start and return when it has ended; a loop never does."""

    async def silence(self) -> None:
        """Play nothing from now on."""


class Clips(Protocol):
    """What the player needs of a `ClipStore`."""

    async def get_default_music(self) -> Clip:
        """Return the server's own music. Raises PromptError."""

    async def from_url(self, url: str, *, method: Method = "GET", body: RequestBody = NO_BODY) -> Clip | Document:
        """Return the audio or the document at a URL. Raises PromptError."""

    def release(self, clip: Clip) -> None:
        """Take back a clip that was returned."""


def usual_method(url: str) -> Method:
    """Return how to ask for a URL of which nothing is said: audio files by GET, so that they can be cached."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return "GET"
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return "GET" if dot and extension.lower() in AUDIO_EXTENSIONS else "POST"


@dataclass(frozen=True, slots=True)
class _Followed:
    """How a document went."""

    redirect: Redirect | None
    heard: bool
    """Something was played, or a pause was kept."""
    failure: PromptError | None
    """Why the last Play that failed did."""


class Player:
    """Plays to one participant. `now` and `sleep` are in seconds."""

    def __init__(
        self,
        clips: Clips,
        sink: Sink,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._clips = clips
        self._sink = sink
        self._now = now
        self._sleep = sleep
        self._told: set[tuple[str, str]] = set()
        """(URL, remark) of the warnings given: a document that is followed every few seconds is not news each time."""

    async def run(self, url: str | None, *, method: Method | None = None, body: RequestBody = NO_BODY) -> None:
        """Play what `url` leads to, from its start: None is the server's own music, "" is silence.

        Returns when there will be nothing but silence; else goes on until it is cancelled. `method` and `body` are of
        the requests for documents; without a method, `usual_method` tells it. What the sink raises is raised.
        """
        if url is not None:
            # What was played before must not go on while we fetch.
            await self._sink.silence()
            if url == "":
                return
            try:
                await self._perform(url, method or usual_method(url), body)
            except PromptError as error:
                self._warn("prompt_replaced", url, code=error.code, reason=error.detail)
            else:
                return
        await self._play_default_music()

    async def _play_default_music(self) -> None:
        try:
            music = await self._clips.get_default_music()
        except PromptError as error:
            log.error("no_default_music", code=error.code, reason=error.detail)
            await self._sink.silence()
            return
        await self._play(music, loops=None)

    async def _perform(self, url: str, method: Method, body: RequestBody) -> None:
        """Play the audio at `url` for ever, or follow the document there and those it redirects to."""
        silent_redirects = 0
        while True:
            asked_at = self._now()
            found = await self._clips.from_url(url, method=method, body=body)
            if isinstance(found, Clip):
                await self._play(found, loops=None)
                return
            followed = await self._follow(found)
            if followed.redirect is None:
                if followed.failure is not None and not followed.heard:
                    raise followed.failure
                await self._sink.silence()
                return
            silent_redirects = 0 if followed.heard else silent_redirects + 1
            if silent_redirects > MOST_SILENT_REDIRECTS:
                raise followed.failure or PromptError(
                    "prompt_format", f"documents redirect more than {MOST_SILENT_REDIRECTS} times and play nothing"
                )
            if silent_redirects != 1:
                # Moving on at once is fine once; a circle must not turn as fast as the network does.
                await self._sleep(max(0.0, asked_at + LEAST_BETWEEN_DOCUMENTS_S - self._now()))
            url, method = followed.redirect.url or found.url, followed.redirect.method

    async def _follow(self, document: Document) -> _Followed:
        """Carry out a document's steps up to its end or its redirect."""
        for note in document.notes:
            self._warn("prompt_altered", document.url, note=note)
        heard, failure = False, None
        for step in document.steps:
            match step:
                case Redirect():
                    return _Followed(step, heard, failure)
                case Pause():
                    await self._sleep(step.seconds)
                    heard = heard or step.seconds > 0
                case Play():
                    try:
                        clip = await self._audio(step.url)
                    except PromptError as error:
                        self._warn("prompt_left_out", step.url, code=error.code, reason=error.detail)
                        failure = error
                    else:
                        await self._play(clip, step.loops)
                        heard = True
        return _Followed(None, heard, failure)

    async def _audio(self, url: str) -> Clip:
        found = await self._clips.from_url(url)
        if isinstance(found, Document):
            raise PromptError("prompt_format", "what a document plays has to be audio, and this is another document")
        return found

    def _warn(self, event: str, url: str, **fields: str) -> None:
        told = (url, str(fields))
        if told not in self._told and len(self._told) < MOST_WARNINGS:
            self._told.add(told)
            log.warning(event, url=safe_url(url), **fields)

    async def _play(self, clip: Clip, loops: int | None) -> None:
        """Play a clip so many times, or until cancelled, and release it."""
        try:
            if loops is None:
                await self._sink.play(clip, loop=True)
            else:
                for _ in range(loops):
                    await self._sink.play(clip)
        finally:
            self._clips.release(clip)
