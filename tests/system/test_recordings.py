"""Recordings of a real server that is killed, or whose disk fills up, stalls or goes away, by real calls.

What there is to be recorded is what the other participant hears; `python -m bench.recording_kills` kills more often.
"""

import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.recording_kills import plan, play, running
from recording.catalog import folder_name
from tests.support.counting import count, seconds_in
from tests.support.hooks import Hooks
from tests.support.live_server import LiveServer
from tests.support.mounts import seeing, seen
from tests.support.recorded_talk import Talk, decoded, verdict, wait_done
from tests.support.stalls import Stalls

LONGEST_GAP_MS = 100
"""Silence where there should be none, beyond what the machine stood still: callers are not in time if it is busy."""


def test_whoever_is_killed_recordings_are_whole_true_and_told_of(tmp_path: Path) -> None:
    with running(tmp_path) as (server, hooks):
        for everything, mixers in ((False, 1), (True, 0)):
            round_ = plan(seed=7, everything=everything, recorders=1, mixers=mixers, longest_s=3.5)
            verdicts, killed = play(server, hooks, round_, f"round-{everything}")
            assert [one.faults for one in verdicts] == [()] * len(round_.kills)
            assert killed == len(round_.kills), "one of each conference but one, and the server"
            assert min(one.heard_ms for one in verdicts) > 0
            assert any(one.recovered for one in verdicts)


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Hooks]]:
    with running(tmp_path_factory.mktemp("recordings")) as both:
        yield both


@pytest.fixture
def stalls() -> Iterator[Stalls]:
    with Stalls() as watching:
        yield watching


@pytest.fixture
def talk(running_server: tuple[LiveServer, Hooks]) -> Iterator[Talk]:
    """A recorded talk on a server that has a disk."""
    with closing(Talk(*running_server, f"talk-{uuid.uuid4()}")) as talk:
        yield talk


@contextmanager
def talking(folder: Path, within: list[str]) -> Iterator[Talk]:
    """A recorded talk on a server of its own."""
    with running(folder, within) as (server, hooks), closing(Talk(server, hooks, "talk")) as talk:
        yield talk


def wait_for(what: Callable[[], Any], patience_s: float = 20) -> Any:
    for _ in range(int(patience_s / 0.05)):
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def told_end(talk: Talk) -> dict[str, Any] | None:
    """What the callbacks were told of the recording's end."""
    told = [params for params in talk.hooks.about(talk.conference_id) if params["status"] == "record-stop"]
    assert len(told) <= 1
    return told[0] if told else None


def check_heard_without_a_gap(talk: Talk, stalls: Stalls) -> None:
    """The listener got every packet, each 20 ms after the one before, and no silence between the counted seconds."""
    packets = [received.packet for received in talk.listener.packets()]
    steps = {(later.timestamp - earlier.timestamp) & 0xFFFFFFFF for earlier, later in pairwise(packets)}
    numbers = {(later.sequence - earlier.sequence) & 0xFFFF for earlier, later in pairwise(packets)}
    assert (numbers, steps) == ({1}, {960})
    sound = talk.listener.heard()
    seconds = seconds_in(sound.pcm, sound.rate)
    there = np.flatnonzero(seconds >= 0)
    assert len(there) > 100
    assert np.diff(there).max() * 20 <= LONGEST_GAP_MS + stalls.longest_ms()


def test_a_full_disk_ends_the_recording_with_all_until_then_and_nobody_hears_it(tmp_path: Path, stalls: Stalls) -> None:
    folder = tmp_path / "data" / "recordings"
    with talking(tmp_path, seeing("size=1m", folder)) as talk:
        path = f"/v1/recordings/{talk.recording_id}"
        told = wait_for(lambda: told_end(talk))
        assert (told["recording_status"], told["reason"]) == ("failed", "disk_full")
        heard_until = talk.heard().heard_ms
        time.sleep(1.5)
        assert talk.server.get(f"/v1/conferences/{talk.conference_id}")["status"] == "in-progress"
        assert talk.heard().heard_ms >= heard_until + 1000
        check_heard_without_a_gap(talk, stalls)

        manifest = wait_done(talk)[1]
        assert (manifest.status, manifest.reason) == ("failed", "disk_full")
        audio = talk.server.http.get(f"{path}/audio")
        assert audio.status_code == 200, audio.text
        (tmp_path / "audio.wav").write_bytes(audio.content)
        rate, sound = decoded(tmp_path / "audio.wav")
        kept = count(sound, rate)
        whole_s = (manifest.samples + manifest.trim.start_samples + manifest.trim.end_samples) / rate
        assert 0 <= manifest.ended_at - manifest.started_at - whole_s <= 1.0, "what waited to be written is lost"
        assert 3000 < kept.heard_ms <= heard_until
        assert kept.in_place
        assert [entry.name for entry in seen(talk.server.pid, folder).iterdir()] == [folder_name(talk.recording_id)]
        talk.leave()


def test_a_folder_that_cannot_be_written_fails_the_recording_alone(tmp_path: Path, stalls: Stalls) -> None:
    with talking(tmp_path, seeing("ro", tmp_path / "data" / "recordings")) as talk:
        told = wait_for(lambda: told_end(talk))
        assert (told["recording_status"], told["reason"]) == ("failed", "read_only")
        time.sleep(2.5)
        check_heard_without_a_gap(talk, stalls)
        talk.leave()


def test_a_folder_that_vanishes_fails_recordings_until_it_is_back(talk: Talk, stalls: Stalls) -> None:
    time.sleep(1.0)
    folder = talk.server.data / "recordings"
    shutil.rmtree(folder)
    told = wait_for(lambda: told_end(talk))
    assert (told["recording_status"], told["reason"]) == ("failed", "folder_gone")
    assert talk.server.http.get(f"/v1/recordings/{talk.recording_id}/audio").status_code == 404
    time.sleep(1.5)
    check_heard_without_a_gap(talk, stalls)
    talk.leave()
    # It is not made anew: a disk that is not there is not to be taken for a folder of another.
    without = Talk(talk.server, talk.hooks, "without")
    told = wait_for(lambda: told_end(without))
    assert (told["recording_status"], told["reason"]) == ("failed", "folder_gone")
    without.leave()
    without.close()
    assert not folder.exists()
    folder.mkdir()
    again = Talk(talk.server, talk.hooks, "again")
    time.sleep(1.0)
    again.leave()
    again.close()
    assert verdict(again).faults == ()


def test_a_stall_of_the_disk_loses_nothing_and_nobody_hears_it(talk: Talk, stalls: Stalls) -> None:
    time.sleep(1.0)
    recorder = talk.process("recorder")
    assert recorder is not None
    os.kill(recorder, signal.SIGSTOP)
    time.sleep(2.0)
    os.kill(recorder, signal.SIGCONT)
    time.sleep(1.0)
    check_heard_without_a_gap(talk, stalls)
    talk.leave()
    found = verdict(talk, most_lost_ms=60)
    assert found.faults == ()
    assert not found.recovered
    assert wait_done(talk)[1].gaps == ()


def test_what_is_being_recorded_can_be_neither_deleted_nor_had(talk: Talk) -> None:
    http, path = talk.server.http, f"/v1/recordings/{talk.recording_id}"
    for answer, code in (
        (http.delete(path), "recording_in_progress"),
        (http.get(f"{path}/audio"), "recording_not_ready"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    time.sleep(1.0)
    talk.leave()
    wait_done(talk)
    assert http.get(f"{path}/audio", headers={"Range": "bytes=0-43"}).status_code == 206
    assert http.get(f"{path}/audio", headers={"Range": "bytes=99999999-"}).status_code == 416
    assert http.delete(path).status_code == 204
    assert {http.get(path).status_code, http.get(f"{path}/audio").status_code} == {404}
    assert not (talk.server.data / "recordings" / folder_name(talk.recording_id)).exists()
