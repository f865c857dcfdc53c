"""What one participant hears, as scripts on virtual time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from server.prompts.clip import Clip
from server.prompts.errors import PromptError
from server.prompts.fetching import NO_BODY, RequestBody
from server.prompts.player import MOST_SILENT_REDIRECTS, MOST_WARNINGS, Player, usual_method
from server.prompts.steps import Document, Method, Pause, Play, Redirect, Step
from tests.server.prompts.virtual import VirtualTime, settle

DOC = "https://example.com/wait"
Found = Clip | Document | PromptError


def clip(name: str, seconds: float = 10.0) -> Clip:
    """A clip of no sound: nothing here listens to it."""
    return Clip(name, round(1000 * seconds), {}, {})


def document(*steps: Step, url: str = DOC, notes: tuple[str, ...] = ()) -> Document:
    return Document(url, steps, notes)


FAILED = PromptError("prompt_fetch_failed", "no answer")


class Clips:
    """Finds at a URL what the test put there: one thing, or one after the other."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.at: dict[str, Found | Iterator[Found]] = {}
        self.music: Found = clip("music", 48)
        self.asked: list[tuple[float, Method, str]] = []
        self.bodies: list[RequestBody] = []
        self.takes_s = 0.0
        self.in_use: Counter[str] = Counter()

    async def get_default_music(self) -> Clip:
        return self._taken(self.music)

    async def from_url(self, url: str, *, method: Method = "GET", body: RequestBody = NO_BODY) -> Clip | Document:
        self.asked.append((self._time.now(), method, url))
        self.bodies.append(body)
        if self.takes_s:
            await self._time.sleep(self.takes_s)
        found = self.at[url]
        found = next(found) if isinstance(found, Iterator) else found
        return found if isinstance(found, Document) else self._taken(found)

    def release(self, clip: Clip) -> None:
        assert self.in_use[clip.clip_id] > 0
        self.in_use[clip.clip_id] -= 1

    def _taken(self, found: Found) -> Clip:
        if isinstance(found, PromptError):
            raise found
        assert isinstance(found, Clip)
        self.in_use[found.clip_id] += 1
        return found


class Sink:
    """Writes down when what was begun."""

    def __init__(self, time: VirtualTime, clips: Clips) -> None:
        self._time = time
        self._clips = clips
        self.heard: list[tuple[float, str]] = []

    async def play(self, clip: Clip, *, loop: bool = False) -> None:
        assert self._clips.in_use[clip.clip_id], "played after it was given back"
        self.heard.append((self._time.now(), f"{clip.clip_id} for ever" if loop else clip.clip_id))
        if loop:
            await asyncio.Event().wait()
        await self._time.sleep(clip.duration_ms / 1000)

    async def silence(self) -> None:
        self.heard.append((self._time.now(), "silence"))


class Room:
    """A player and what it plays to and from."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self.clips = Clips(self.time)
        self.sink = Sink(self.time, self.clips)
        self.player = Player(self.clips, self.sink, now=self.time.now, sleep=self.time.sleep)
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, url: str | None, method: Method | None = None, body: RequestBody = NO_BODY) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self.player.run(url, method=method, body=body))  # noqa: TID251
        self._tasks.append(task)
        return task

    async def hear(self, url: str | None, seconds: float = 0.0) -> list[tuple[float, str]]:
        """What is heard of `url` in so many seconds, without the silence while it is fetched."""
        self.begin(url)
        await self.time.pass_by(seconds)
        return self.sink.heard[1:] if url is not None else self.sink.heard

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert +self.clips.in_use == Counter()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.end()


async def test_without_a_url_there_is_the_servers_own_music(room: Room) -> None:
    assert await room.hear(None) == [(0, "music for ever")]


async def test_an_empty_url_is_silence_and_the_end(room: Room) -> None:
    playing = room.begin("")
    await playing
    assert room.sink.heard == [(0, "silence")]
    assert room.clips.asked == []


async def test_what_played_before_does_not_go_on_while_one_waits_for_a_url(room: Room) -> None:
    room.clips.at["https://example.com/a.mp3"] = clip("a")
    room.clips.takes_s = 5
    room.begin("https://example.com/a.mp3")
    await room.time.pass_by(4)
    assert room.sink.heard == [(0, "silence")]
    await room.time.pass_by(1)
    assert room.sink.heard == [(0, "silence"), (5, "a for ever")]


async def test_a_file_is_asked_for_by_get_and_played_for_ever(room: Room) -> None:
    room.clips.at["https://example.com/a.mp3"] = clip("a")
    assert await room.hear("https://example.com/a.mp3", 100) == [(0, "a for ever")]
    assert room.clips.asked == [(0, "GET", "https://example.com/a.mp3")]


async def test_everyone_hears_a_file_from_its_start(room: Room) -> None:
    room.clips.at["https://example.com/a.mp3"] = clip("a")
    room.begin("https://example.com/a.mp3")
    await room.time.pass_by(3)
    room.begin("https://example.com/a.mp3")
    await room.time.pass_by(0)
    assert [heard for heard in room.sink.heard if heard[1] != "silence"] == [(0, "a for ever"), (3, "a for ever")]


@pytest.mark.parametrize(
    ("url", "method"),
    [
        ("https://example.com/a.mp3", "GET"),
        ("https://example.com/a.WAV?x=b.xml", "GET"),
        ("https://example.com/x/a.ogg#t", "GET"),
        ("https://example.com/a.opus", "GET"),
        ("https://example.com/wait", "POST"),
        ("https://example.com/wait.xml", "POST"),
        ("https://example.com/wait.json", "POST"),
        ("https://example.com/?file=a.mp3", "POST"),
        ("https://example.com/a.mp3/wait", "POST"),
        ("https://example.com/mp3", "POST"),
        ("https://[::1", "GET"),
    ],
)
def test_the_usual_method(url: str, method: Method) -> None:
    assert usual_method(url) == method


async def test_a_document_is_asked_for_by_post_with_a_body_unless_told_otherwise(room: Room) -> None:
    room.clips.at[DOC] = document()
    body = RequestBody(form={"CallSid": "CA1"})
    room.begin(DOC, body=body)
    room.begin(DOC, "GET", body)
    await settle()
    assert [method for _, method, _ in room.clips.asked] == ["POST", "GET"]
    assert room.clips.bodies == [body, body]


async def test_the_steps_of_a_document_follow_each_other_and_then_there_is_silence(room: Room) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/a"), Pause(3), Play("https://example.com/b", 2)),
        "https://example.com/a": clip("a", 10),
        "https://example.com/b": clip("b", 5),
    }
    heard = await room.hear(DOC, 1000)
    assert heard == [(0, "a"), (13, "b"), (18, "b"), (23, "silence")]
    assert [method for _, method, _ in room.clips.asked] == ["POST", "GET", "GET"]


async def test_a_document_that_plays_for_ever_does(room: Room) -> None:
    room.clips.at |= {DOC: document(Play("https://example.com/a", None)), "https://example.com/a": clip("a")}
    assert await room.hear(DOC, 1000) == [(0, "a for ever")]


async def test_an_empty_redirect_makes_a_loop_that_asks_again_each_time(room: Room) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/a"), Redirect(None, "POST")),
        "https://example.com/a": clip("a", 10),
    }
    assert await room.hear(DOC, 35) == [(0, "a"), (10, "a"), (20, "a"), (30, "a")]
    assert [at for at, _, url in room.clips.asked if url == DOC] == [0, 10, 20, 30]


async def test_a_redirect_leads_to_another_document_or_to_audio(room: Room) -> None:
    other = "https://example.com/other"
    room.clips.at |= {
        DOC: document(Redirect(other, "GET")),
        other: document(Pause(5), Redirect("https://example.com/a.mp3", "POST"), url=other),
        "https://example.com/a.mp3": clip("a"),
    }
    assert await room.hear(DOC, 100) == [(5, "a for ever")]
    assert room.clips.asked == [
        (0, "POST", DOC),
        (0, "GET", other),
        (5, "POST", "https://example.com/a.mp3"),
    ]


async def test_an_empty_redirect_means_where_the_document_came_from(room: Room) -> None:
    moved = "https://example.net/moved"
    room.clips.at |= {DOC: document(Pause(5), Redirect(None, "GET"), url=moved), moved: document(url=moved)}
    await room.hear(DOC, 100)
    assert room.clips.asked == [(0, "POST", DOC), (5, "GET", moved)]


async def test_documents_that_play_nothing_cannot_spin_and_end_in_music(room: Room) -> None:
    room.clips.at[DOC] = document(Redirect(None, "POST"))
    with capture_logs() as logs:
        heard = await room.hear(DOC, 3600)
    # One hop is taken at once, the others a second after the last request.
    assert [at for at, _, _ in room.clips.asked] == [0, 0, *range(1, MOST_SILENT_REDIRECTS)]
    assert heard == [(MOST_SILENT_REDIRECTS - 1, "music for ever")]
    assert [log["code"] for log in logs] == ["prompt_format"]


async def test_a_very_short_sound_does_not_make_requests_frequent(room: Room) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/a"), Redirect(None, "POST")),
        "https://example.com/a": clip("a", 0.1),
    }
    await room.hear(DOC, 100)
    assert [at for at, _, url in room.clips.asked if url == DOC] == pytest.approx(list(range(101)))


async def test_time_that_a_slow_server_took_counts(room: Room) -> None:
    room.clips.at[DOC] = iter([document(Redirect(None, "POST"))] * 3 + [document()])
    room.clips.takes_s = 2
    await room.hear(DOC, 100)
    assert [at for at, _, _ in room.clips.asked] == [0, 2, 4, 6]


@pytest.mark.parametrize(
    "code", ["prompt_fetch_failed", "prompt_timeout", "prompt_format", "prompt_forbidden", "prompt_store_full"]
)
async def test_what_cannot_be_had_is_replaced_by_music_with_a_warning(room: Room, code: str) -> None:
    room.clips.at["https://u:p@example.com/a.mp3?key=secret"] = PromptError(code, "why")
    with capture_logs() as logs:
        heard = await room.hear("https://u:p@example.com/a.mp3?key=secret")
    assert heard == [(0, "music for ever")]
    [log] = logs
    assert (log["log_level"], log["event"], log["code"], log["reason"]) == ("warning", "prompt_replaced", code, "why")
    assert log["url"] == "https://example.com/a.mp3"


async def test_a_redirect_that_fails_is_replaced_by_music(room: Room) -> None:
    room.clips.at[DOC] = iter([document(Pause(5), Redirect(None, "POST")), FAILED])
    assert await room.hear(DOC, 10) == [(5, "music for ever")]


async def test_a_play_that_fails_is_left_out(room: Room) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/gone"), Play("https://example.com/a")),
        "https://example.com/gone": FAILED,
        "https://example.com/a": clip("a", 10),
    }
    with capture_logs() as logs:
        assert await room.hear(DOC, 100) == [(0, "a"), (10, "silence")]
    assert [log["event"] for log in logs] == ["prompt_left_out"]


async def test_a_document_of_which_nothing_can_be_played_is_replaced_by_music(room: Room) -> None:
    room.clips.at |= {DOC: document(Play("https://example.com/gone")), "https://example.com/gone": FAILED}
    assert await room.hear(DOC, 100) == [(0, "music for ever")]


async def test_a_document_cannot_play_a_document(room: Room) -> None:
    room.clips.at |= {DOC: document(Play("https://example.com/other")), "https://example.com/other": document()}
    with capture_logs() as logs:
        assert await room.hear(DOC, 100) == [(0, "music for ever")]
    assert [log["code"] for log in logs] == ["prompt_format", "prompt_format"]


async def test_a_document_without_steps_is_silence(room: Room) -> None:
    room.clips.at[DOC] = document(notes=("left out Say",))
    with capture_logs() as logs:
        assert await room.hear(DOC, 100) == [(0, "silence")]
    assert [log["note"] for log in logs] == ["left out Say"]


async def test_a_warning_is_given_once_however_often_a_document_comes_back(room: Room) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/gone"), Pause(1), Redirect(None, "POST"), notes=("x", "y")),
        "https://example.com/gone": FAILED,
    }
    with capture_logs() as logs:
        await room.hear(DOC, 1000)
    assert len(logs) == 3


async def test_there_are_only_so_many_warnings(room: Room) -> None:
    room.clips.at[DOC] = (document(Pause(1), Redirect(None, "POST"), notes=(str(i),)) for i in range(100_000))
    with capture_logs() as logs:
        await room.hear(DOC, 1000)
    assert len(logs) == MOST_WARNINGS


async def test_without_any_music_there_is_silence(room: Room) -> None:
    room.clips.music = PromptError("prompt_unavailable", "no memory")
    with capture_logs() as logs:
        assert await room.hear(None) == [(0, "silence")]
    assert [log["log_level"] for log in logs] == ["error"]


@pytest.mark.parametrize("seconds", [0, 2, 7, 12])
async def test_it_can_be_ended_at_any_time(room: Room, seconds: float) -> None:
    room.clips.at |= {
        DOC: document(Play("https://example.com/a"), Pause(3), Redirect(None, "POST")),
        "https://example.com/a": clip("a", 5),
    }
    room.clips.takes_s = 2
    playing = room.begin(DOC)
    await room.time.pass_by(seconds)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    before = list(room.sink.heard)
    await room.time.pass_by(100)
    assert room.sink.heard == before
    assert +room.clips.in_use == Counter()


async def test_what_the_sink_raises_is_raised_and_nothing_stays_in_use(room: Room) -> None:
    class GoneError(Exception):
        pass

    async def play(_clip: Clip, *, loop: bool = False) -> None:
        raise GoneError

    room.sink.play = play  # type: ignore[method-assign]
    with pytest.raises(GoneError):
        await room.begin(None)
    assert +room.clips.in_use == Counter()
