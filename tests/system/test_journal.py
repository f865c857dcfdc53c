"""A database that cannot be written: calls are heard on, commands are refused, and events go on without a gap."""

import errno
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.receiver import ReceiverThread
from server.caller.session import RtpCaller
from tests.support.live_server import LiveServer
from tests.support.mounts import seeing, seen
from tests.support.tones import level_at, tone

AMPLITUDE = 2500.0
TONE_HZ = 600
TRIES = 3000
"""A full disk has room in what the database had before; so many commands fill it."""

Trouble = Callable[[LiveServer], AbstractContextManager[None]]


@contextmanager
def locked(server: LiveServer) -> Iterator[None]:
    """Another process holds the database."""
    other = sqlite3.connect(server.data / "parley.db", isolation_level=None)
    other.execute("PRAGMA busy_timeout = 5000")
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


@contextmanager
def full(server: LiveServer) -> Iterator[None]:
    """Something else has filled the disk."""
    filler = seen(server.pid, server.data / "filler")
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1 << 12))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    yield
    os.truncate(filler, 0)


@contextmanager
def started(server: LiveServer) -> Iterator[LiveServer]:
    server.start()
    try:
        yield server
    finally:
        code = server.stop()
    assert code == 0


def until_refused(server: LiveServer, participant: str) -> tuple[httpx2.Response, int]:
    """Mute and unmute by turns until that is refused; return the refusal and how often it was not."""
    for number in range(TRIES):
        changed = server.http.patch(participant, json={"muted": number % 2 == 0})
        if changed.status_code != 200:
            return changed, number
    raise AssertionError("everything could be written")


def level(caller: RtpCaller) -> float:
    """The talker's tone in what was heard in the last half second."""
    sound = caller.heard()
    return level_at(sound.pcm[-sound.rate // 2 :], sound.rate, TONE_HZ)


def muted(server: LiveServer, conference_id: str, call_id: str) -> bool:
    present = server.get(f"/v1/conferences/{conference_id}/participants")["participants"]
    return bool(next(one["muted"] for one in present if one["call_id"] == call_id))


def everything(server: LiveServer, conference_id: str) -> list[dict[str, Any]]:
    """The whole log, however many pages it has."""
    events: list[dict[str, Any]] = []
    while page := server.get(f"/v1/conferences/{conference_id}/events?after={len(events)}")["events"]:
        events += page
    return events


def wait_until_delivered(server: LiveServer) -> None:
    for _ in range(400):
        if not server.get("/v1/webhook-deliveries?state=pending&limit=1")["deliveries"]:
            return
        time.sleep(0.05)
    raise AssertionError("something is still to be delivered")


def silent(event: dict[str, Any]) -> bool:
    """Not about who speaks when, which depends on the ear of the machine."""
    return "speech" not in event["params"]["status"]


@pytest.mark.parametrize("trouble", [locked, full])
def test_calls_go_on_while_nothing_can_be_written_and_then_events_do(tmp_path: Path, trouble: Trouble) -> None:
    within = seeing("size=6m", tmp_path / "data") if trouble is full else []
    with (
        ReceiverThread() as told,
        started(LiveServer(tmp_path, within=within)) as server,
        RtpCaller("pcmu") as talker,
        RtpCaller("pcmu") as listener,
    ):
        callback = {"status_callback": told.receiver.url, "status_callback_event": "start end join leave mute"}
        for caller in (talker, listener):
            body = {"media": caller.media(), "beep": False, **callback}
            joined = server.post("/v1/conferences/outage/participants", body).json()
            caller.start(joined["media"])
        conference_id, listens = joined["conference_id"], joined["call_id"]
        participant = f"/v1/conferences/{conference_id}/participants/{listens}"
        talker.play(tone(TONE_HZ, 60, 8000, AMPLITUDE), 8000)
        with trouble(server):
            refused, happened = until_refused(server, participant)
            assert (refused.status_code, refused.json()["code"]) == (503, "journal_unavailable"), refused.text
            another = server.post("/v1/conferences/another/participants", {"media": {"rtp": {"codec": "pcmu"}}})
            assert (another.status_code, another.json()["code"]) == (503, "journal_unavailable"), another.text
            # Nothing of what was refused is so: the listener hears, and is as it was.
            time.sleep(1.2)
            assert abs(level(listener) - AMPLITUDE) < AMPLITUDE / 4
            assert muted(server, conference_id, listens) is (happened % 2 == 1)
            assert server.http.get("/readyz").status_code == 200
        changed = server.http.patch(participant, json={"muted": happened % 2 == 0})
        assert changed.status_code == 200, changed.text
        assert server.post(f"/v1/conferences/{conference_id}/end").status_code == 200
        events = everything(server, conference_id)
        wait_until_delivered(server)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    told_of = [event for event in events if silent(event)]
    muting = ["participant-mute", "participant-unmute"] * (happened + 1)
    assert [event["params"]["status"] for event in told_of] == [
        *("participant-join", "conference-start", "participant-join"),
        *muting[: happened + 1],
        *("participant-leave", "participant-leave", "conference-end"),
    ]
    assert [json.loads(arrival.body) for arrival in told.receiver.arrivals] == told_of
