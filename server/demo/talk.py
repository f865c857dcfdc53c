"""The calls of the demo: three callers in three codecs join one conference, talk for eight seconds, and leave.

The conference is recorded and a receiver is told of it. Collects everything that is judged later (`checks`): what was
said, heard and recorded, when, packets, figures, events and who was told of them.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from server import clock
from server.caller.client import ParleyClient
from server.caller.codecs import as_int16
from server.caller.session import Counts, RtpCaller
from server.caller.timeline import Sound
from server.demo.receiver import Told
from server.demo.voices import RATE, conversation

CODECS: Final = {"anna": "pcmu", "ben": "g722", "carla": "opus"}
SPEECH_S: Final = 8.0
_SETTLE_S: Final = 0.6
"""Silence before the first word: playout delays settle."""
_TAIL_S: Final = 0.7
"""Listening after the last word: the longest way it may be under way."""
_END_S: Final = 15.0
"""Patience with what follows on the end: the recording's files, and the last webhook."""
_ALL: Final = "start end join leave mute hold modify speaker announcement"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recording of the conference, as it was downloaded."""

    recording: dict[str, Any]
    """RECORDING of the API; empty if there is none."""
    trimmed_s: float = 0.0
    """Silence that was cut off before the first sample."""
    audio: bytes = b""
    """The file behind its `url`."""
    tracks: Mapping[str, bytes] = field(default_factory=dict)
    """The file of each track, by call id."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What happened. Names are those of `CODECS`; times are local monotonic seconds."""

    conference_id: str
    join_ms: dict[str, float]
    said: dict[str, Sound]
    heard: dict[str, Sound]
    counts: dict[str, Counts]
    call_ids: dict[str, str]
    stats: dict[str, Any]
    """As the server answered while all were talking."""
    events: list[dict[str, Any]]
    """All events of the conference, in order."""
    told: Told
    """What its webhooks told."""
    recording: Recorded


def talk(url: str, told: Told, name: str = "demo") -> Talk:
    """Hold the conversation on the server at `url`, whose webhooks go to the receiver behind `told`.

    Raises:
        CallerError: the server refused something.
    """
    voices = {who: as_int16(pcm) for who, pcm in conversation(SPEECH_S).items()}
    with ParleyClient(url) as client, _callers() as callers:
        joins, join_ms = {}, {}
        for who, caller in callers.items():
            begun_s = clock.monotonic()
            joins[who] = client.join(name, caller.media(), label=who, **_wishes(told))
            join_ms[who] = (clock.monotonic() - begun_s) * 1000
            caller.start(joins[who].answer)
        call_ids = {who: joined.call_id for who, joined in joins.items()}
        conference_id = joins["anna"].conference_id
        first_word_s = clock.monotonic() + _SETTLE_S
        said = {
            who: Sound(voices[who], RATE, caller.play(voices[who], RATE, at_s=first_word_s))
            for who, caller in callers.items()
        }
        _pause(_SETTLE_S + SPEECH_S + _TAIL_S)
        stats = client.stats(conference_id)
        heard = {who: caller.heard() for who, caller in callers.items()}
        counts = {who: caller.counts() for who, caller in callers.items()}
        _leave(client, callers, call_ids)
        events = _events_to_the_end(client, conference_id)
        recording = _download(client, conference_id)
        _until(lambda: told.has("record-stop") and told.has("conference-end"))
    return Talk(conference_id, join_ms, said, heard, counts, call_ids, stats, events, told, recording)


def _wishes(told: Told) -> dict[str, Any]:
    return {
        "record": "record-from-start",
        "tracks": True,
        "status_callback": told.url,
        "status_callback_event": _ALL,
        "recording_status_callback": told.url,
        "recording_status_callback_event": "in-progress completed absent failed",
    }


@contextmanager
def _callers() -> Iterator[dict[str, RtpCaller]]:
    with ExitStack() as stack:
        yield {who: stack.enter_context(RtpCaller(codec)) for who, codec in CODECS.items()}


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def _leave(client: ParleyClient, callers: dict[str, RtpCaller], call_ids: dict[str, str]) -> None:
    """Hang up, each in a way that the server must know: two over HTTP, the last by RTCP BYE."""
    *first, last = callers
    for who in first:
        client.hang_up(call_ids[who])
        callers[who].close(bye=False)
    callers[last].close()


def _events_to_the_end(client: ParleyClient, conference_id: str) -> list[dict[str, Any]]:
    """The log once the conference has ended and its recording is done; what there is, if that does not come."""
    events: list[dict[str, Any]] = []

    def over() -> bool:
        events[:] = client.events(conference_id)
        return {"conference-end", "record-stop"} <= {event["params"]["status"] for event in events}

    _until(over)
    return events


def _download(client: ParleyClient, conference_id: str) -> Recorded:
    listed = client.request("GET", f"/v1/recordings?conference_id={conference_id}")["recordings"]
    if len(listed) != 1 or listed[0]["status"] != "completed":
        return Recorded(listed[0] if listed else {})
    recording: dict[str, Any] = listed[0]
    path = f"/v1/recordings/{recording['recording_id']}"
    manifest = client.request("GET", f"{path}/manifest")
    return Recorded(
        recording,
        manifest["trim"]["start_samples"] / recording["sample_rate"],
        _bytes(client, f"{path}/audio"),
        {
            track["call_id"]: _bytes(client, f"{path}/tracks/{track['call_id']}/audio.flac")
            for track in recording["tracks"]
        },
    )


def _bytes(client: ParleyClient, path: str) -> bytes:
    with client.download(path) as blocks:
        return b"".join(blocks)


def _until(over: Callable[[], bool]) -> None:
    """Wait until something is over, but not for ever: what is missing then is for the checks to find."""
    deadline_s = clock.monotonic() + _END_S
    while not over() and clock.monotonic() < deadline_s:
        _pause(0.05)
