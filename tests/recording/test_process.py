"""A recorder process' life, with the mixer's and the server's ends in the hands of the test, and a real folder."""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recording.catalog import (
    Failed,
    Finish,
    Finished,
    Manifest,
    Note,
    Progress,
    RecorderConfig,
    RecorderReport,
    Started,
    dump,
    dump_config,
    folder_name,
    load_report,
)
from recording.catalog.feeds import create_feed
from recording.feed import FeedReader, FeedWriter, Voices
from recording.process import STILL_S, Process, run
from recording.recorder import Recorder

ID = "5b8f2f4e-6a43-4b6c-9a3e-0a7b2c1d9e0f"
WAIT_MS = 1
NOISE = np.random.default_rng(1)


class World:
    """Everything around one recorder. Time passes by `step_s` whenever it is asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fd = create_feed(256 << 10)
        self.writer: FeedWriter | None = FeedWriter(self.fd)
        self.server, self.recorders_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.settimeout(5)
        self.config = RecorderConfig(ID, str(directory), "conf-1", "project", "a room", 1000.0, trim=False, tracks=True)
        self.now_s, self.step_s = 100.0, 0.02
        self.as_time_passes: Callable[[], None] = lambda: None
        self.unix_s = 1000.0

    def now(self) -> float:
        self.now_s += self.step_s
        self.as_time_passes()
        return self.now_s

    def write(self, ticks: int, loud: bool = True) -> None:
        """Let the mixer do so many ticks with one voice."""
        assert self.writer is not None
        if "a" not in self.writer.tracks:
            self.writer.track("a", self.writer.ticks)
        for _ in range(ticks):
            sound = np.rint(NOISE.standard_normal((1, 160)) * 3000).astype(np.float32)
            number = self.writer.ticks
            self.writer.frame(number, 8000, sound[0] if loud else None, [Voices(8000, np.array([0]), sound)])
            self.writer.ticks = number + 1

    def close_feed(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def record(self) -> list[RecorderReport]:
        """Run a recorder to its end; what it told the server, but for progress."""
        reader = FeedReader(self.fd)
        recorder = Recorder(self.directory, self.config, lambda: self.unix_s)
        Process(self.recorders_end, reader, recorder, self.config, self.now, WAIT_MS).run()
        reader.close()
        return self.told()

    def told(self) -> list[RecorderReport]:
        reports: list[RecorderReport] = []
        if self.server.fileno() < 0:
            return reports
        self.server.setblocking(False)
        while True:
            try:
                packet = self.server.recv(1 << 16)
            except OSError:
                break
            if not packet:
                break
            reports.append(load_report(packet))
        return [report for report in reports if not isinstance(report, Progress)]

    def manifest(self) -> Manifest:
        return Manifest.load(self.directory / folder_name(ID))

    def close(self) -> None:
        self.close_feed()
        self.server.close()
        self.recorders_end.close()
        os.close(self.fd)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_what_was_fed_is_published_when_the_feed_is_closed_and_the_server_says_why(world: World) -> None:
    world.write(75)
    world.close_feed()
    world.server.send(dump(Note(1000.5, "muted", "a", "Anna")))
    world.server.send(dump(Finish("conference_ended")))
    started, finished = world.record()
    assert started == Started(ID, os.getpid())
    assert isinstance(finished, Finished)
    assert (finished.status, finished.reason, finished.duration_s, finished.saved) == (
        "completed",
        "conference_ended",
        1.5,
        True,
    )
    manifest = world.manifest()
    assert manifest.files.audio is not None
    assert finished.byte_size == manifest.files.audio.byte_size > 75 * 320
    assert [track.call_id for track in manifest.files.tracks] == ["a"]
    (participant,) = [p for p in manifest.participants if p.call_id == "a"]
    assert participant.label == "Anna"
    assert manifest.gaps == ()


def test_a_closed_feed_alone_ends_it_after_a_moment(world: World) -> None:
    world.write(20)
    assert world.writer is not None
    world.writer.mark(20, {"stop": True})
    world.close_feed()
    world.step_s = 0.2
    finished = world.record()[-1]
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.duration_s) == ("stopped", 0.4)


def test_the_servers_word_alone_ends_it_after_a_moment_in_which_sound_still_comes(world: World) -> None:
    world.write(20)
    world.server.send(dump(Finish("shutdown")))
    world.as_time_passes = lambda: world.write(1) if world.now_s < 100.5 else None
    finished = world.record()[-1]
    assert isinstance(finished, Finished)
    assert finished.reason == "shutdown"
    assert 0.6 < finished.duration_s < 1.0


def test_without_a_server_it_goes_on_while_the_mixer_does(world: World) -> None:
    world.server.send(dump(Note(1000.0, "joined", "a")))
    world.server.close()
    world.step_s = 0.1

    def mixer() -> None:
        if world.now_s < 110:
            world.write(5)
        else:
            world.close_feed()

    world.as_time_passes = mixer
    assert world.record() == []
    manifest = world.manifest()
    assert (manifest.status, manifest.reason) == ("completed", "server_lost")
    assert manifest.duration_s == pytest.approx(9.9, abs=0.2)


def test_without_a_server_a_feed_that_stands_still_is_over(world: World) -> None:
    world.server.close()
    world.write(30)
    world.step_s = 0.3
    world.record()
    assert world.manifest().duration_s == 0.6
    assert STILL_S < world.now_s - 100 < STILL_S + 3


def test_a_silent_room_does_not_stand_still(world: World) -> None:
    world.server.close()
    world.write(30)
    world.step_s = 0.5

    def mixer() -> None:
        if world.now_s < 115:
            assert world.writer is not None
            world.writer.ticks += 25

    world.as_time_passes = mixer
    world.record()
    assert world.manifest().duration_s > 10


def test_ticks_that_found_no_room_and_ticks_the_mixer_lost_become_gaps_of_their_length(world: World) -> None:
    assert world.writer is not None
    world.write(1000, loud=False)
    dropped = world.writer.dropped
    assert dropped > 100
    reader = FeedReader(world.fd)
    before = 1000 - dropped
    recorder = Recorder(world.directory, world.config, lambda: world.unix_s)
    process = Process(world.recorders_end, reader, recorder, world.config, world.now, WAIT_MS)
    world.step_s = 0.01
    while process._once(True)[0]:
        pass
    world.write(5)
    world.writer.ticks += 7
    world.writer.lose(7)
    world.write(5)
    world.writer.ticks += 40  # nobody was there
    world.write(5)
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    process.run()
    reader.close()
    gaps = [(round(gap.at_s * 50), round(gap.duration_s * 50), gap.reason) for gap in world.manifest().gaps]
    assert gaps == [(before, dropped, "overrun"), (1005, 7, "mixer")]
    assert world.manifest().duration_s == pytest.approx((1000 + 5 + 7 + 5 + 40 + 5) / 50)


def test_a_gap_at_the_very_end_is_told_too(world: World) -> None:
    world.write(1000)
    assert world.writer is not None
    dropped = world.writer.dropped
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.record()
    (gap,) = world.manifest().gaps
    assert (round(gap.duration_s * 50), gap.reason) == (dropped, "overrun")
    assert world.manifest().duration_s == 20.0


def test_pauses_are_no_gaps(world: World) -> None:
    assert world.writer is not None
    world.write(50)
    world.writer.mark(50, {"pause": "silence"})
    world.writer.ticks = 100
    world.writer.mark(100, {"resume": True})
    world.write(50)
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.record()
    manifest = world.manifest()
    assert manifest.duration_s == 3.0
    assert manifest.gaps == ()
    assert [(pause.at_s, pause.until_s, pause.behavior) for pause in manifest.pauses] == [(1.0, 2.0, "silence")]


def test_ticks_of_the_far_future_are_not_believed(world: World) -> None:
    assert world.writer is not None
    world.write(50)
    loud = np.full(160, 9000.0, np.float32)
    world.writer.frame(50 * 3600 * 24, 8000, loud, [])
    world.writer.mark(50 * 3600 * 24, {"stop": True})
    world.writer.ticks = 50 * 3600 * 24
    world.writer.ticks = 50
    world.write(50)
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.record()
    assert world.manifest().duration_s == 2.0


def test_wrong_commands_are_survived(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    world.write(50)
    for packet in (b"nonsense", b"{}", b'{"type":"finish"}', b"[" * 5000):
        world.server.send(packet)
    world.server.send(dump(Finish("stopped")))
    world.close_feed()
    assert isinstance(world.record()[-1], Finished)
    assert capfd.readouterr().err.count("wrong command") == 4


def test_a_folder_that_is_not_there_is_told_and_ends_it(world: World) -> None:
    world.config = replace(world.config, directory=str(world.directory / "nowhere"))
    world.directory = world.directory / "nowhere"
    world.write(10)
    failed, finished = world.record()
    assert isinstance(failed, Failed)
    assert failed.reason == "folder_gone"
    assert isinstance(finished, Finished)
    assert (finished.status, finished.saved, finished.byte_size) == ("failed", False, 0)


def test_a_folder_that_vanishes_is_told_and_ends_it(world: World) -> None:
    def vanish() -> None:
        world.write(2)
        if world.now_s > 102:
            shutil.rmtree(world.directory / (folder_name(ID) + ".part"), ignore_errors=True)

    world.as_time_passes = vanish
    started, failed, finished = world.record()
    assert isinstance(started, Started)
    assert isinstance(failed, Failed)
    assert failed.reason == "folder_gone"
    assert isinstance(finished, Finished)
    assert not finished.saved


def test_progress_is_told_about_every_second(world: World) -> None:
    world.as_time_passes = lambda: world.write(1) if world.now_s < 105 else world.close_feed()
    reports: list[RecorderReport] = []
    process = Process(
        world.recorders_end,
        FeedReader(world.fd),
        Recorder(world.directory, world.config, lambda: world.unix_s),
        world.config,
        world.now,
        WAIT_MS,
    )
    world.step_s = 0.05
    process.run()
    world.server.setblocking(False)
    while True:
        try:
            reports.append(load_report(world.server.recv(1 << 16)))
        except OSError:
            break
    progress = [report for report in reports if isinstance(report, Progress)]
    assert 4 <= len(progress) <= 6
    assert [report.last_tick for report in progress] == sorted(report.last_tick for report in progress)
    assert progress[-1].bytes_written > 10_000


def killed_after(world: World, steps: int) -> None:
    """Let a recorder take so many turns, and leave it as a killed one is left: nothing is flushed any more."""
    reader = FeedReader(world.fd)
    recorder = Recorder(world.directory, world.config, lambda: world.unix_s)
    process = Process(world.recorders_end, reader, recorder, world.config, world.now, WAIT_MS)
    for _ in range(steps):
        process._once(True)
    # Its hold on the folder is gone as a dead process's is.
    recorder._close()
    reader.close()


def test_a_recorder_goes_on_with_what_a_killed_one_left(world: World) -> None:
    world.write(100)
    world.step_s = 0.3
    killed_after(world, 3)
    world.write(60)
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.step_s = 0.02
    world.record()
    manifest = world.manifest()
    assert manifest.duration_s == 3.2
    assert manifest.recovered
    assert [track.call_id for track in manifest.files.tracks] == ["a"]
    assert manifest.lost_ms < 1000


@pytest.mark.parametrize("steps", [1, 2, 7, 12])
def test_a_backlog_is_written_as_it_is_taken(world: World, steps: int) -> None:
    """After a stall a recorder reads much in a moment; killed then, it loses no more than at any other time."""
    world.write(600)
    world.step_s = 0.000_01
    killed_after(world, steps)
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.step_s = 0.02
    world.record()
    manifest = world.manifest()
    assert (manifest.duration_s, manifest.recovered) == (12.0, True)
    assert manifest.lost_ms <= 400


def test_what_is_lost_at_the_end_is_told(world: World) -> None:
    """A recorder that died with the last of the sound in its hands leaves the next one nothing to read."""
    world.write(35)
    world.step_s = 0.000_01
    killed_after(world, 2)
    first = FeedReader(world.fd)
    first.read(1000)
    first.close()
    world.close_feed()
    world.server.send(dump(Finish("stopped")))
    world.step_s = 0.02
    world.record()
    manifest = world.manifest()
    assert (manifest.duration_s, manifest.recovered) == (0.7, True)
    assert 300 <= manifest.lost_ms <= 700
    assert [(gap.reason, round(gap.at_s + gap.duration_s, 2)) for gap in manifest.gaps] == [("recorder", 0.7)]


def test_run_owns_its_descriptors_and_refuses_what_is_no_feed_or_config(tmp_path: Path) -> None:
    config = dump_config(RecorderConfig(ID, str(tmp_path), "conf-1", "project", "a room", 1000.0))
    for feed, told in ((os.memfd_create("x"), config), (create_feed(), {"recording_id": 5})):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        number = theirs.fileno()
        pid = os.fork()
        if pid == 0:
            os._exit(run(theirs, feed, told))
        theirs.close()
        os.close(feed)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 65
        assert ours.recv(100) == b""
        ours.close()
        assert number > 2
    assert list(tmp_path.iterdir()) == []
