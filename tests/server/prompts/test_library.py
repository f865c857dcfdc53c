"""The library as the service uses it, with real children and an injected fetcher."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from server.conference.directives import Program
from server.conference.model import Announcement
from server.prompts.clip import Clip
from server.prompts.clips import ClipStore
from server.prompts.errors import PromptError
from server.prompts.fetching import FetchedDocument, RequestBody
from server.prompts.library import SWML_REQUEST, PromptLibrary
from server.prompts.steps import Method
from server.service_prompts import Prompts
from server.urls.caching import Validators
from tests.server.prompts.files import memory_files, tone, wav

WAV = wav(tone(0.25, 8000))


class Web:
    """What there is to fetch: bytes by URL."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {"https://example.com/a.wav": WAV}
        self.asked: list[tuple[Method, str, RequestBody]] = []

    async def fetch(
        self, url: str, *, method: Method, body: RequestBody, validators: Validators | None
    ) -> FetchedDocument:
        self.asked.append((method, url, body))
        if url not in self.pages:
            raise PromptError("prompt_fetch_failed", "no such page")
        return FetchedDocument(200, self.pages[url], final_url=url)


class Sink:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.plays = asyncio.Event()

    async def play(self, clip: Clip, *, loop: bool = False) -> None:
        self.heard.append(f"{clip.duration_ms} ms" + (" for ever" if loop else ""))
        self.plays.set()
        if loop:
            await asyncio.Event().wait()

    async def silence(self) -> None:
        self.heard.append("silence")


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
async def library(web: Web) -> AsyncIterator[PromptLibrary]:
    before = memory_files()
    library = PromptLibrary(ClipStore(web))
    as_the_service_sees_it: Prompts = library
    yield library
    await as_the_service_sees_it.close()
    assert memory_files() == before


async def test_beeps_can_be_had(library: PromptLibrary) -> None:
    async with library.beep("enter") as enter, library.beep("leave") as leave, library.beep("enter") as again:
        assert enter is again
        assert enter.clip_id != leave.clip_id


async def test_what_is_needed_first_is_made_beforehand(library: PromptLibrary) -> None:
    library.start()
    async with library.beep("enter"):
        pass
    # Stops while it is still being made: nothing is left of it.


async def test_an_announcement_is_audio_asked_for_by_get(library: PromptLibrary, web: Web) -> None:
    async with library.announcement(Announcement("ann_1", "https://example.com/a.wav")) as clip:
        assert clip.duration_ms == 250
    assert [asked[0] for asked in web.asked] == ["GET"]


async def test_an_announcement_may_be_a_document_that_plays_audio(library: PromptLibrary, web: Web) -> None:
    web.pages["https://example.com/doc"] = b"<Response><Play>a.wav</Play><Pause/></Response>"
    with capture_logs() as logs:
        async with library.announcement(Announcement("ann_1", "https://example.com/doc", "POST")) as clip:
            assert clip.duration_ms == 250
    assert [asked[:2] for asked in web.asked] == [
        ("POST", "https://example.com/doc"),
        ("GET", "https://example.com/a.wav"),
    ]
    assert [log["event"] for log in logs] == ["prompt_altered"]


@pytest.mark.parametrize(
    ("page", "code"),
    [
        (b"<Response><Pause/></Response>", "prompt_format"),
        (b"<Response><Play>/doc</Play></Response>", "prompt_format"),
        (b"<Response><Play>/gone.wav</Play></Response>", "prompt_fetch_failed"),
        (b"hello", "prompt_format"),
    ],
)
async def test_what_cannot_be_announced(library: PromptLibrary, web: Web, page: bytes, code: str) -> None:
    web.pages["https://example.com/doc"] = page
    with pytest.raises(PromptError) as refused:
        async with library.announcement(Announcement("ann_1", "https://example.com/doc")):
            pass
    assert refused.value.code == code


async def test_a_program_is_performed(library: PromptLibrary, web: Web) -> None:
    web.pages["https://example.com/wait"] = b'{"sections":{"main":[{"play":{"urls":["a.wav","a.wav"]}}]}}'
    sink = Sink()
    await library.perform(Program("wait", "https://example.com/wait"), sink)
    assert sink.heard == ["silence", "250 ms", "250 ms", "silence"]
    assert web.asked[0] == ("POST", "https://example.com/wait", SWML_REQUEST)


@pytest.mark.parametrize("url", [None, "https://example.com/gone.mp3"])
async def test_music_is_performed_until_it_is_ended(library: PromptLibrary, url: str | None) -> None:
    sink = Sink()
    performing = asyncio.ensure_future(library.perform(Program("hold", url), sink))  # noqa: TID251
    await sink.plays.wait()
    performing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await performing
    assert sink.heard[-1] == "48000 ms for ever"


async def test_the_method_of_a_program_is_kept(library: PromptLibrary, web: Web) -> None:
    web.pages["https://example.com/wait"] = b"<Response/>"
    await library.perform(Program("wait", "https://example.com/wait", "GET"), Sink())
    assert [asked[0] for asked in web.asked] == ["GET"]
