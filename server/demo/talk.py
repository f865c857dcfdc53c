"""The calls of the demo: three callers in three codecs join one conference, talk for eight seconds, and leave.

Collects everything that is judged later (`checks`): what was said and heard, when, packets, figures, events.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from server import clock
from server.caller.client import ParleyClient
from server.caller.codecs import as_int16
from server.caller.session import Counts, RtpCaller
from server.caller.timeline import Sound
from server.demo.voices import RATE, conversation

CODECS: Final = {"anna": "pcmu", "ben": "g722", "carla": "opus"}
SPEECH_S: Final = 8.0
_SETTLE_S: Final = 0.6
"""Silence before the first word: playout delays settle."""
_TAIL_S: Final = 0.7
"""Listening after the last word: the longest way it may be under way."""
_END_S: Final = 5.0


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


def talk(url: str, name: str = "demo") -> Talk:
    """Hold the conversation on the server at `url`.

    Raises:
        CallerError: the server refused something.
    """
    voices = {who: as_int16(pcm) for who, pcm in conversation(SPEECH_S).items()}
    with ParleyClient(url) as client, _callers() as callers:
        joins, join_ms = {}, {}
        for who, caller in callers.items():
            begun_s = clock.monotonic()
            joins[who] = client.join(name, caller.media(), label=who)
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
    return Talk(conference_id, join_ms, said, heard, counts, call_ids, stats, events)


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
    """The log once it ends with `conference-end`; what there is, if that does not come."""
    deadline_s = clock.monotonic() + _END_S
    while True:
        events = client.events(conference_id)
        ended = bool(events) and events[-1]["params"]["status"] == "conference-end"
        if ended or clock.monotonic() > deadline_s:
            return events
        _pause(0.05)
