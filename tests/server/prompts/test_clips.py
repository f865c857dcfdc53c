"""The store: what is fetched and decoded how often, what is kept, and that descriptors are given back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from server.prompts.clip import Clip
from server.prompts.clips import FAILURE_LASTS_S, ClipStore
from server.prompts.decode import Decoded
from server.prompts.errors import PromptError
from server.prompts.fetching import NO_BODY, FetchedDocument, RequestBody
from server.prompts.shelf import Shelf
from server.prompts.steps import Document, Method, Play
from server.prompts.synthesis import OwnSound
from server.prompts.turns import Turns
from server.urls.caching import Validators
from tests.server.prompts.files import heard, made_clip, memory_files, tone, wav
from tests.server.prompts.virtual import settle

URL = "https://example.com/a.wav"
WAV = wav(tone(0.1, 8000))
OTHER_WAV = wav(tone(0.1, 8000, hz=600))
XML = b"<Response><Play>b.wav</Play></Response>"


@dataclass
class Fetcher:
    """Answers as told, and writes down what was asked."""

    answer: Callable[[str, Method], FetchedDocument] = lambda _url, _method: FetchedDocument(200, WAV, "audio/wav")
    asked: list[tuple[str, Method, RequestBody, Validators | None]] = field(default_factory=list)
    may_answer: asyncio.Event | None = None

    async def fetch(
        self, url: str, *, method: Method, body: RequestBody, validators: Validators | None
    ) -> FetchedDocument:
        self.asked.append((url, method, body, validators))
        if self.may_answer is not None:
            await self.may_answer.wait()
        answer = self.answer(url, method)
        return replace(answer, final_url=answer.final_url or url)

    def always(self, answer: FetchedDocument) -> None:
        self.answer = lambda _url, _method: answer


@dataclass
class Decoder:
    """Decodes by magic: a second of silence for whatever it is given."""

    decoded: list[str] = field(default_factory=list)
    failure: PromptError | None = None
    notes: tuple[str, ...] = ()

    async def decode(self, clip_id: str, data: bytes) -> Decoded:
        self.decoded.append(clip_id)
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return Decoded(made_clip(clip_id), self.notes)


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.fetcher = Fetcher()
        self.decoder = Decoder()
        self.made: list[str] = []
        self.make_failure: PromptError | None = None
        self.shelf = Shelf(max_bytes=3 * 192_000)
        self.store = ClipStore(
            self.fetcher,
            now=lambda: self.now,
            decoder=self.decoder,
            make=self.make,
            shelf=self.shelf,
            turns=Turns(most_of_a_host=2),
        )

    async def make(self, sound: OwnSound) -> Clip:
        self.made.append(sound)
        await asyncio.sleep(0)
        if self.make_failure is not None:
            raise self.make_failure
        return made_clip(f"clip_{sound}", seconds=10)

    async def clip(self, url: str = URL, method: Method = "GET") -> Clip:
        found = await self.store.from_url(url, method=method)
        assert isinstance(found, Clip)
        return found

    async def used(self, url: str = URL, method: Method = "GET") -> str:
        """Have a clip and give it back."""
        clip = await self.clip(url, method)
        self.store.release(clip)
        return clip.clip_id

    async def refusal(self, url: str = URL) -> PromptError:
        with pytest.raises(PromptError) as refused:
            await self.store.from_url(url)
        return refused.value


@pytest.fixture
async def world() -> AsyncIterator[World]:
    before = memory_files()
    world = World()
    yield world
    await world.store.close()
    assert memory_files() == before


async def test_own_sounds_are_made_once_for_all(world: World) -> None:
    clips = await asyncio.gather(*(world.store.get_default_music() for _ in range(10)))
    clips += [await world.store.get_default_music(), await world.store.beep("enter"), await world.store.beep("leave")]
    assert world.made == ["music", "enter", "leave"]
    assert {clip.clip_id for clip in clips} == {"clip_music", "clip_enter", "clip_leave"}
    for clip in clips:
        world.store.release(clip)


async def test_an_own_sound_that_could_not_be_made_is_tried_again(world: World) -> None:
    world.make_failure = PromptError("prompt_unavailable", "no memory")
    with pytest.raises(PromptError):
        await world.store.beep("enter")
    world.make_failure = None
    world.store.release(await world.store.beep("enter"))
    assert world.made == ["enter", "enter"]


async def test_one_fetch_and_one_clip_serve_all_who_ask_at_once(world: World) -> None:
    world.fetcher.may_answer = asyncio.Event()
    waiting = [asyncio.ensure_future(world.clip()) for _ in range(500)]  # noqa: TID251
    await settle()
    world.fetcher.may_answer.set()
    clips = await asyncio.gather(*waiting)
    assert len(world.fetcher.asked) == len(world.decoder.decoded) == 1
    assert len(set(map(id, clips))) == 1


async def test_who_gives_up_does_not_end_the_fetch_for_others(world: World) -> None:
    world.fetcher.may_answer = asyncio.Event()
    first, second = (asyncio.ensure_future(world.clip()) for _ in range(2))  # noqa: TID251
    await settle()
    first.cancel()
    await settle()
    world.fetcher.may_answer.set()
    assert (await second).clip_id
    assert len(world.fetcher.asked) == 1


@pytest.mark.parametrize(
    ("fresh_s", "storable", "passed_s", "requests"),
    [(60, True, 59, 1), (60, True, 61, 2), (0, True, 0, 2), (None, True, 9, 1), (None, True, 11, 2), (60, False, 0, 2)],
)
async def test_a_url_is_asked_again_when_it_is_no_longer_fresh(
    world: World, fresh_s: float | None, storable: bool, passed_s: float, requests: int
) -> None:
    world.fetcher.always(FetchedDocument(200, WAV, fresh_s=fresh_s, storable=storable))
    first = await world.used()
    world.now += passed_s
    assert await world.used() == first
    assert len(world.fetcher.asked) == requests
    assert len(world.decoder.decoded) == 1


async def test_what_is_still_good_is_not_sent_again(world: World) -> None:
    validators = Validators('"1"', "Sun, 06 Nov 1994 08:49:37 GMT")
    world.fetcher.always(FetchedDocument(200, WAV, validators=validators, fresh_s=60))
    first = await world.used()
    world.now += 61
    world.fetcher.always(FetchedDocument(304, b"", validators=validators, fresh_s=60, not_modified=True))
    assert await world.used() == first
    assert [asked[3] for asked in world.fetcher.asked] == [None, validators]
    world.now += 59
    assert await world.used() == first
    assert len(world.fetcher.asked) == 2


async def test_what_has_changed_is_played_as_it_is_now(world: World) -> None:
    world.fetcher.always(FetchedDocument(200, WAV, validators=Validators('"1"'), fresh_s=0))
    first = await world.used()
    world.fetcher.always(FetchedDocument(200, OTHER_WAV, validators=Validators('"2"'), fresh_s=0))
    assert await world.used() != first


async def test_a_clip_that_was_dropped_is_fetched_again_as_a_whole(world: World) -> None:
    world.fetcher.always(FetchedDocument(200, WAV, validators=Validators('"1"'), fresh_s=600))
    first = await world.used()
    for name in "bcd":
        world.shelf.put(made_clip(name))
    assert first not in world.shelf
    assert await world.used() == first
    assert [asked[3] for asked in world.fetcher.asked] == [None, None]


async def test_a_304_that_was_not_asked_for_is_a_failure(world: World) -> None:
    world.fetcher.always(FetchedDocument(304, b"", not_modified=True))
    assert (await world.refusal()).code == "prompt_fetch_failed"


async def test_the_same_audio_from_two_urls_is_one_clip(world: World) -> None:
    one, two = await asyncio.gather(world.clip("https://a.example/x"), world.clip("https://b.example/y"))
    assert one is two
    assert len(world.decoder.decoded) == 1


@pytest.mark.parametrize("status", [199, 301, 403, 404, 405, 500, 503])
async def test_other_answers_than_success_are_failures(world: World, status: int) -> None:
    world.fetcher.always(FetchedDocument(status, WAV, "audio/wav"))
    error = await world.refusal()
    assert (error.code, error.fault) == ("prompt_fetch_failed", "far_end")
    assert str(status) in error.detail


async def test_a_failure_to_fetch_is_not_remembered(world: World) -> None:
    world.fetcher.always(FetchedDocument(500, b""))
    await world.refusal()
    world.fetcher.always(FetchedDocument(200, WAV))
    await world.used()


async def test_audio_is_told_by_its_bytes_whatever_type_is_claimed(world: World) -> None:
    world.fetcher.always(FetchedDocument(200, WAV, "text/plain"))
    await world.used()


async def test_a_document_is_returned_with_its_urls_resolved(world: World) -> None:
    world.fetcher.always(FetchedDocument(200, XML, "text/xml", final_url="https://example.net/moved/doc.xml"))
    expected = Document("https://example.net/moved/doc.xml", (Play("https://example.net/moved/b.wav"),))
    assert await world.store.from_url("https://example.com/doc.xml") == expected
    assert await world.store.from_url("https://example.com/doc.xml") == expected
    assert len(world.fetcher.asked) == 1


async def test_a_post_carries_its_body_each_time_and_shares_the_clip(world: World) -> None:
    body = RequestBody(form={"a": "b"})
    found = [await world.store.from_url(URL, method="POST", body=body) for _ in range(2)]
    assert [asked[1:3] for asked in world.fetcher.asked] == [("POST", body)] * 2
    assert found[0] is found[1]
    assert len(world.decoder.decoded) == 1


@pytest.mark.parametrize("status", [405, 501])
async def test_a_server_of_static_files_is_asked_by_get_instead(world: World, status: int) -> None:
    world.fetcher.answer = lambda _url, method: FetchedDocument(200 if method == "GET" else status, WAV)
    await world.used(method="POST")
    assert [(asked[1], asked[2]) for asked in world.fetcher.asked] == [("POST", NO_BODY), ("GET", NO_BODY)]


async def test_audio_that_cannot_be_decoded_is_not_tried_again_for_a_while(world: World) -> None:
    world.decoder.failure = PromptError("prompt_timeout", "decoding it takes too much computing")
    assert (await world.refusal("https://example.com/1")).code == "prompt_timeout"
    assert (await world.refusal("https://example.com/2")).detail == "decoding it takes too much computing"
    assert len(world.decoder.decoded) == 1
    world.now += FAILURE_LASTS_S
    world.decoder.failure = None
    await world.used("https://example.com/3")
    assert len(world.decoder.decoded) == 2


async def test_remarks_on_audio_are_logged_without_secrets(world: World) -> None:
    world.decoder.notes = ("cut after 600 s",)
    with capture_logs() as logs:
        await world.used("https://u:p@example.com/a.wav?token=secret")
    [log] = logs
    assert (log["log_level"], log["note"], log["url"]) == ("warning", "cut after 600 s", "https://example.com/a.wav")


async def test_clips_in_use_are_never_dropped_and_too_many_are_refused(world: World) -> None:
    world.fetcher.answer = lambda url, _method: FetchedDocument(200, wav(tone(0.1, 8000, hz=float(url[-3:]))))
    clips = [await world.clip(f"https://example.com/{hz}") for hz in (300, 400, 500)]
    assert (await world.refusal("https://example.com/600")).code == "prompt_store_full"
    assert all(len(heard(clip, 8000)) for clip in clips)
    world.store.release(clips[0])
    await world.used("https://example.com/600")
    with pytest.raises(ValueError, match="not in use"):
        world.store.release(clips[0])


async def test_a_second_user_keeps_a_clip(world: World) -> None:
    clip = await world.clip()
    world.store.use(clip)
    world.store.release(clip)
    for name in "bcd":
        world.shelf.put(made_clip(name))
    assert np.array_equal(heard(clip, 8000), np.zeros(8000))


async def test_only_so_many_are_fetched_at_once_from_one_host(world: World) -> None:
    world.fetcher.may_answer = asyncio.Event()
    waiting = [asyncio.ensure_future(world.used(f"https://example.com/{i}")) for i in range(5)]  # noqa: TID251
    await settle()
    assert len(world.fetcher.asked) == 2
    world.fetcher.may_answer.set()
    await asyncio.gather(*waiting)
    assert len(world.fetcher.asked) == 5


async def test_closing_ends_what_is_under_way(world: World) -> None:
    world.fetcher.may_answer = asyncio.Event()
    await world.store.get_default_music()
    waiting = asyncio.ensure_future(world.clip())  # noqa: TID251
    await settle()
    await world.store.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(PromptError):
        await world.store.get_default_music()


async def test_with_the_real_decoder_the_tone_is_heard() -> None:
    store = ClipStore(Fetcher(lambda _url, _method: FetchedDocument(200, wav(tone(0.5, 8000)))))
    try:
        clip = await store.from_url(URL)
        assert isinstance(clip, Clip)
        assert np.array_equal(heard(clip, 8000), tone(0.5, 8000))
        store.release(clip)
    finally:
        await store.close()
