"""The rules of a room through a real server, by sound and by events: who waits, starts, is held, coaches and beeps."""

import http.server
import threading
import time
import uuid
import wave
from collections.abc import Iterator
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
import pytest

from server.caller.session import RtpCaller
from tests.support.live_server import LiveServer
from tests.support.patience import PATIENCE_S, eventually
from tests.support.tones import level_at, rms, tone

AMPLITUDE = 3000.0
SILENT = 30.0
"""RMS below this is silence, music and beeps are well above."""


class Room:
    """A conference and its callers, by name."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.name = f"room-{uuid.uuid4().hex[:8]}"
        self.callers: dict[str, RtpCaller] = {}
        self.calls: dict[str, str] = {}
        self.conference_id = ""

    def join(self, who: str, codec: str = "pcmu", talks: float | None = None, **options: Any) -> None:
        caller = RtpCaller(codec)
        answer = self.server.post(f"/v1/conferences/{self.name}/participants", {"media": caller.media(), **options})
        assert answer.status_code == 201, answer.text
        body = answer.json()
        caller.start(body["media"])
        if talks:
            caller.play(tone(talks, 5 * PATIENCE_S, 8000, AMPLITUDE), 8000)
        self.callers[who], self.calls[who], self.conference_id = caller, body["call_id"], body["conference_id"]

    def refused(self, status: int, code: str, **options: Any) -> None:
        with RtpCaller() as caller:
            answer = self.server.post(f"/v1/conferences/{self.name}/participants", {"media": caller.media(), **options})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text

    def change(self, who: str, **fields: Any) -> None:
        path = f"/v1/conferences/{self.conference_id}/participants/{self.calls[who]}"
        answer = self.server.http.patch(path, json=fields)
        assert answer.status_code == 200, answer.text

    def leave(self, who: str, kick: bool = False) -> None:
        path = f"/v1/conferences/{self.conference_id}/participants/{self.calls[who]}"
        answer = self.server.http.delete(path if kick else f"/v1/calls/{self.calls[who]}")
        assert answer.status_code == 204, answer.text

    def last(self, who: str, seconds: float) -> np.ndarray:
        sound = self.callers[who].heard()
        last = sound.pcm[-int(seconds * sound.rate) :]
        assert len(last) == int(seconds * sound.rate)
        return last

    def loudness(self, who: str, seconds: float = 0.5) -> float:
        return rms(self.last(who, seconds))

    def hears(self, who: str, frequency: float, seconds: float = 0.5) -> bool:
        return level_at(self.last(who, seconds), self.callers[who].codec.sample_rate, frequency) > AMPLITUDE / 3

    def wait_for_sound(self, who: str, frequency: float | None = None, seconds: float = 0.5) -> None:
        """Wait until he hears something, or this tone."""

        def sounds() -> None:
            assert self.loudness(who, seconds) > SILENT
            assert frequency is None or self.hears(who, frequency, seconds)

        eventually(sounds)

    def wait_for_silence(self, *who: str, seconds: float = 0.5) -> None:
        def silent() -> None:
            assert all(self.loudness(one, seconds) < SILENT for one in who)

        eventually(silent)

    def statuses(self) -> list[str]:
        return [event["params"]["status"] for event in self.events()]

    def events(self) -> list[dict[str, Any]]:
        events = self.server.get(f"/v1/conferences/{self.conference_id}/events")["events"]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        return events

    def status(self) -> str:
        return str(self.server.get(f"/v1/conferences/{self.conference_id}")["status"])


@pytest.fixture
def room(server: LiveServer) -> Iterator[Room]:
    room = Room(server)
    yield room
    for caller in room.callers.values():
        caller.close()


def test_one_alone_waits_with_music_until_the_second_comes(room: Room) -> None:
    room.join("starter", min_participants_to_start=2)
    room.wait_for_sound("starter", seconds=1.0)
    assert room.status() == "init"
    assert room.statuses() == ["participant-join"]
    room.join("second", "g722", beep="false")
    room.wait_for_silence("starter")
    assert room.statuses()[:3] == ["participant-join", "participant-join", "conference-start"]


def test_the_third_starts_the_music_stops_for_all_and_only_the_others_hear_the_beep(room: Room) -> None:
    for who, codec in (("a", "pcmu"), ("b", "opus")):
        room.join(who, codec, start_on_enter=False)
    for who in ("a", "b"):
        room.wait_for_sound(who, seconds=1.0)
    assert room.status() == "init"
    room.join("starter", "pcma")
    before = len(room.callers["a"].heard().pcm) + 400  # 50 ms of music may still be under way
    time.sleep(1.3)
    room.wait_for_silence("a", "b", seconds=0.4)
    since = room.callers["a"].heard().pcm[before:]
    assert max(rms(block) for block in np.array_split(since, 10)) > 5 * SILENT, "the beep"
    assert rms(room.callers["starter"].heard().pcm) < SILENT, "who joins does not hear it"
    assert room.statuses() == ["participant-join"] * 3 + ["conference-start"]


def test_muted_from_the_first_frame_and_unmuted_by_patch(room: Room) -> None:
    room.join("listener")
    room.join("muted", talks=600, muted=True, beep=False)
    time.sleep(1.2)
    assert not room.hears("listener", 600)
    room.change("muted", muted=False)
    room.wait_for_sound("listener", 600)
    assert "participant-unmute" in room.statuses()


def test_hold_plays_music_to_one_and_keeps_him_muted(room: Room) -> None:
    room.join("agent", talks=500)
    room.join("caller", talks=900, muted=True, beep=False)
    room.wait_for_sound("caller", 500)
    room.change("caller", hold=True)

    def music() -> None:
        assert room.loudness("caller", 1.0) > SILENT
        assert not room.hears("caller", 500, 1.0)

    eventually(music)
    assert room.loudness("agent") < SILENT, "the music is his alone"
    room.change("caller", hold=False)
    room.wait_for_sound("caller", 500)
    assert not room.hears("agent", 900), "muted before, muted after"
    speech = {"participant-speech-start", "participant-speech-stop"}
    assert [status for status in room.statuses() if status not in speech][-2:] == [
        "participant-hold",
        "participant-unhold",
    ]


def test_a_coach_reaches_the_coachee_alone_and_nobody_when_he_is_gone(room: Room) -> None:
    room.join("customer", talks=500)
    room.join("agent", "opus", talks=900)
    room.join("coach", "g722", talks=1300, coach=room.calls["agent"])
    room.wait_for_sound("agent", 1300)
    room.wait_for_sound("coach", 500)
    assert not room.hears("customer", 1300)
    room.leave("agent")
    time.sleep(1.0)
    assert not room.hears("customer", 1300)
    room.wait_for_sound("coach", 500)
    assert "participant-modify" in room.statuses()


def test_refusals_change_nothing(room: Room) -> None:
    room.join("a", max_participants=2, label="first")
    room.refused(409, "coach_not_found", coach="nobody")
    room.refused(409, "label_in_use", label="first")
    room.join("b")
    room.refused(409, "conference_full")
    joined = [event for event in room.events() if event["params"]["status"] == "participant-join"]
    assert len(joined) == 2


def ended_last(room: Room) -> None:
    assert room.statuses()[-1] == "conference-end"


def test_the_end_comes_in_order_when_the_moderator_goes(room: Room) -> None:
    room.join("a")
    room.join("moderator", end_on_exit=True)
    room.join("b")
    room.leave("moderator")
    eventually(lambda: ended_last(room))
    events = [event["params"] for event in room.events()][-4:]
    assert [event["status"] for event in events] == ["participant-leave"] * 3 + ["conference-end"]
    assert [event["participant_call_id"] for event in events[:3]] == [
        room.calls[who] for who in ("moderator", "a", "b")
    ]
    assert events[1]["reason_left"] == "moderator_ended_conference"
    assert events[3]["reason_ended"] == "participant-with-end-conference-on-exit-left"
    assert events[3]["call_id_ending_conf"] == room.calls["moderator"]


@pytest.mark.parametrize(("kick", "reason"), [(False, "last-participant-left"), (True, "last-participant-kicked")])
def test_the_last_one_ends_it_and_the_name_is_free_again(room: Room, kick: bool, reason: str) -> None:
    room.join("only")
    room.leave("only", kick=kick)
    first = room.conference_id
    ended = room.server.get(f"/v1/conferences/{first}")
    assert (ended["status"], ended["reason_ended"]) == ("completed", reason)
    assert ended["size"] == 0
    stayed = room.server.get(f"/v1/conferences/{first}/participants?all=true")["participants"]
    assert [participant["state"] for participant in stayed] == ["left"]
    room.join("again")
    assert room.conference_id != first


class Prompts(http.server.BaseHTTPRequestHandler):
    """A web server of wait audio and documents."""

    hits: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.hits.append(self.path)
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _answer(self) -> None:
        kind, body = "text/plain", b"no such thing"
        status = 200
        if self.path.endswith(".wav"):
            kind, body = "audio/wav", _wav(700)
        elif self.path == "/twiml":
            kind, body = "application/xml", b"<Response><Play>tone.wav</Play></Response>"
        elif self.path == "/loop":
            kind, body = "application/xml", b"<Response><Play>tone.wav</Play><Redirect/></Response>"
        else:
            status = 404
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return


def _wav(frequency: float) -> bytes:
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(tone(frequency, 0.5, 16000, AMPLITUDE).astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture(scope="module")
def prompts() -> Iterator[str]:
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prompts)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_address[1]}"
    web.shutdown()
    web.server_close()


def test_wait_audio_loops_documents_do_not_and_failures_play_the_default(room: Room, prompts: str) -> None:
    waits = {"audio": "/tone.wav", "twiml": "/twiml", "loop": "/loop", "broken": "/nothing", "silent": ""}
    for who, path in waits.items():
        room.join(who, start_on_enter=False, wait_url=prompts + path if path else "")
    time.sleep(2.0)
    room.wait_for_sound("audio", 700, 1.0)  # played again and again
    eventually(lambda: played_once(room, "twiml"))
    room.wait_for_sound("loop", seconds=2.0)  # until it redirects to itself
    room.wait_for_sound("broken", seconds=1.0)
    assert not room.hears("broken", 700), "the default music"
    assert room.loudness("silent", 1.0) < SILENT
    room.join("starter", beep="false")
    room.wait_for_silence(*waits)


def played_once(room: Room, who: str) -> None:
    assert room.loudness(who, 1.0) < SILENT
    blocks = [level_at(block, 8000, 700) for block in np.array_split(room.callers[who].heard().pcm, 20)]
    assert max(blocks) > AMPLITUDE / 3


def test_announcements_are_heard_and_end(room: Room, prompts: str) -> None:
    room.join("a", talks=400)
    room.join("b", "opus", beep=False)
    time.sleep(0.5)
    path = f"/v1/conferences/{room.conference_id}/announcements"
    assert room.server.post(path, {"url": f"{prompts}/tone.wav"}).status_code == 201
    answer = room.server.post(path, {"url": f"{prompts}/nothing.mp3", "call_id": room.calls["b"]})
    assert answer.status_code == 201, answer.text
    eventually(lambda: both_announcements_over(room))
    heard = room.callers["b"].heard().pcm
    assert max(level_at(block, 48000, 700) for block in np.array_split(heard, len(heard) // 12_000)) > AMPLITUDE / 2
    assert room.server.post(path, {"url": "file:///etc/passwd"}).json()["code"] == "url_invalid"


def both_announcements_over(room: Room) -> None:
    assert {"announcement-end", "announcement-fail"} <= set(room.statuses())
