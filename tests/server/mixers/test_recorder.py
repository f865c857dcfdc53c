"""Real recorder processes: launched, told, killed, replaced, and left alone by a server that dies."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from recording.catalog import (
    Failed,
    Finished,
    Manifest,
    Note,
    Progress,
    RecorderConfig,
    folder_name,
)
from recording.catalog.feeds import create_feed
from recording.feed import FeedWriter, Voices
from server.mixers.errors import LaunchFailed
from server.mixers.handle import Patience
from server.mixers.recorder import RecorderHandle, RecorderNews
from server.mixers.supervisor import Mixers
from tests.support.processes import children, gone, open_fds, running

pytestmark = [pytest.mark.usefixtures("earlier_garbage_gone"), pytest.mark.asyncio(loop_scope="module")]

ID = "5b8f2f4e-6a43-4b6c-9a3e-0a7b2c1d9e0f"
NOISE = np.random.default_rng(1)


class Recording:
    """The service's and the mixer's side of a recording."""

    def __init__(self, mixers: Mixers, directory: Path) -> None:
        self.mixers, self.directory = mixers, directory
        self.feed_fd = create_feed(4 << 20)
        self.writer: FeedWriter | None = FeedWriter(self.feed_fd)
        self.news: list[RecorderNews] = []
        self.exits: list[int | None] = []
        self.config = RecorderConfig(ID, str(directory), "conf", "project", "name", 1000.0, trim=False, tracks=True)

    async def launch(self) -> RecorderHandle:
        return await self.mixers.launch_recorder(
            self.config,
            self.feed_fd,
            lambda _, news: self.news.append(news),
            lambda _, status: self.exits.append(status),
        )

    def write(self, ticks: int) -> None:
        assert self.writer is not None
        track = self.writer.track("a", self.writer.ticks)
        for _ in range(ticks):
            sound = np.rint(NOISE.standard_normal((1, 160)) * 3000).astype(np.float32)
            assert self.writer.frame(self.writer.ticks, 8000, sound[0], [Voices(8000, np.array([track]), sound)])
            self.writer.ticks += 1

    def end_feed(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def said(self, kind: type) -> list[RecorderNews]:
        return [news for news in self.news if isinstance(news, kind)]

    def manifest(self) -> Manifest:
        return Manifest.load(self.directory / folder_name(ID))

    def close(self) -> None:
        self.end_feed()
        os.close(self.feed_fd)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mixers() -> AsyncIterator[Mixers]:
    before, processes = open_fds(), children()
    made = Mixers()
    await made.start()
    yield made
    await made.stop()
    assert open_fds() == before
    assert children() == processes


@pytest_asyncio.fixture(loop_scope="module")
async def recording(mixers: Mixers, tmp_path: Path) -> AsyncIterator[Recording]:
    made = Recording(mixers, tmp_path)
    yield made
    made.close()


async def test_a_recording_is_made_and_its_end_is_told_once(recording: Recording) -> None:
    recorder = await recording.launch()
    assert recorder.alive
    assert os.getpriority(os.PRIO_PROCESS, recorder.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    recording.write(100)
    recorder.note(Note(1000.0, "labelled", "a", "Anna"))
    recording.end_feed()
    recorder.finish("conference_ended")
    await recorder.ended()
    (finished,) = recording.said(Finished)
    assert finished == recorder.finished
    assert isinstance(finished, Finished)
    assert (finished.status, finished.reason, finished.duration_s) == ("completed", "conference_ended", 2.0)
    assert recording.exits == [0]
    assert not recorder.alive
    assert not running(recorder.pid)
    assert [(p.call_id, p.label) for p in recording.manifest().participants] == [("a", "Anna")]
    recorder.note(Note(1001.0, "left", "a"))
    recorder.finish("again")
    recorder.kill()


async def test_progress_is_told(recording: Recording) -> None:
    recorder = await recording.launch()
    recording.write(10)
    await until(lambda: recording.said(Progress))
    (progress, *_) = recording.said(Progress)
    assert isinstance(progress, Progress)
    assert (progress.last_tick, progress.dropped_ticks) == (9, 0)
    recorder.kill()
    await recorder.ended()


async def test_what_cannot_be_recorded_is_told(recording: Recording) -> None:
    recording.config = RecorderConfig(ID, str(recording.directory / "gone"), "conf", "project", "name", 1000.0)
    with capture_logs() as logs:
        recorder = await recording.launch()
        await recorder.ended()
    (failed,) = recording.said(Failed)
    assert isinstance(failed, Failed)
    assert failed.reason == "folder_gone"
    (finished,) = recording.said(Finished)
    assert isinstance(finished, Finished)
    assert not finished.saved
    await until(lambda: recording.exits)
    assert recording.exits == [0]
    assert [entry["event"] for entry in logs] == ["recording failed"]


async def test_a_recorder_that_ends_at_once_is_a_failed_launch(mixers: Mixers, recording: Recording) -> None:
    recording.config = RecorderConfig("no uuid", str(recording.directory), "conf", "project", "name", 1000.0)
    with capture_logs() as logs, pytest.raises(LaunchFailed):
        await recording.launch()
    assert recording.exits == []
    assert "ValueError" in str(logs)
    recording.config = RecorderConfig(ID, str(recording.directory), "conf", "project", "name", 1000.0)
    os.pwrite(recording.feed_fd, b"nonsense", 0)
    with pytest.raises(LaunchFailed):
        await recording.launch()


async def test_another_recorder_goes_on_where_a_killed_one_stopped(recording: Recording) -> None:
    first = await recording.launch()
    recording.write(100)
    part = recording.directory / (folder_name(ID) + ".part")
    await until(lambda: any(path.stat().st_size > 30_000 for path in part.glob("mix-*.wav")))
    first.kill()
    with capture_logs() as logs:
        await first.ended()
    assert recording.exits == [-signal.SIGKILL]
    assert [entry["event"] for entry in logs] == ["recorder died"]
    recording.write(100)
    second = await recording.launch()
    recording.write(50)
    recording.end_feed()
    second.finish("stopped")
    await second.ended()
    manifest = recording.manifest()
    assert (manifest.status, manifest.duration_s, manifest.recovered) == ("completed", 5.0, True)
    assert manifest.lost_ms <= 1000
    assert recording.exits == [-signal.SIGKILL, 0]


async def test_a_server_that_stops_lets_recorders_publish(tmp_path: Path) -> None:
    mixers = Mixers()
    await mixers.start()
    recording = Recording(mixers, tmp_path)
    await recording.launch()
    recording.write(50)
    recording.end_feed()
    await mixers.stop(grace_s=10)
    assert recording.exits == [0]
    assert recording.manifest().reason == "shutdown"
    recording.close()


async def test_a_recorder_that_takes_longer_goes_on_by_itself(tmp_path: Path) -> None:
    before = open_fds()
    mixers = Mixers()
    await mixers.start()
    recording = Recording(mixers, tmp_path)
    recorder = await recording.launch()
    recording.write(50)
    os.kill(recorder.pid, signal.SIGSTOP)
    with capture_logs() as logs:
        await mixers.stop(grace_s=0.1)
    assert recording.exits == [None]
    assert "a recorder goes on by itself" in [entry["event"] for entry in logs]
    os.kill(recorder.pid, signal.SIGCONT)
    recording.end_feed()
    await until(lambda: (tmp_path / folder_name(ID)).exists())
    await gone([recorder.pid])
    assert recording.manifest().duration_s == 1.0
    recording.close()
    assert open_fds() == before


async def test_a_recorder_outlives_the_parent_of_all(tmp_path: Path) -> None:
    mixers = Mixers(patience=Patience(ready_s=20))
    await mixers.start()
    recording = Recording(mixers, tmp_path)
    recorder = await recording.launch()
    assert mixers.forkserver_pid is not None
    with capture_logs():
        os.kill(mixers.forkserver_pid, signal.SIGKILL)
        await gone([mixers.forkserver_pid])
        recording.write(50)
        recording.end_feed()
        recorder.finish("stopped")
        await recorder.ended()
    assert recording.manifest().duration_s == 1.0
    assert recording.exits == [None]
    await mixers.stop()
    recording.close()


SERVER = """
import asyncio, logging, os, sys
import structlog
from mixer.protocol import MediaFormat, MixerConfig, OutgoingStream, Address
from recording.catalog import RecorderConfig
from recording.catalog.feeds import create_feed
from server.mixers.ports import MediaPorts
from server.mixers.supervisor import Mixers

# The first line of its output is for the test.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

async def main():
    mixers = Mixers()
    await mixers.start()
    ignore = lambda *_: None
    mixer = await mixers.launch(MixerConfig("conf"), ignore, ignore)
    media = MediaPorts(19_400, 19_449, "127.0.0.1").open(shared=True, remote=None)
    await mixer.lend_socket(media)
    pcmu = MediaFormat("pcmu", 0, 8000)
    await mixer.add_leg("a", media.socket_id, Address("127.0.0.1", 9), pcmu, OutgoingStream(1, 1, 1))
    fd = create_feed()
    config = RecorderConfig(sys.argv[1], sys.argv[2], "conf", "project", "name", 1000.0)
    recorder = await mixers.launch_recorder(config, fd, ignore, ignore)
    await mixer.start_recording(sys.argv[1], fd, True)
    await asyncio.sleep(0.7)
    await mixer.pause_recording(sys.argv[1], "silence")
    await mixer.resume_recording(sys.argv[1])
    print(mixer.pid, recorder.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_when_the_server_is_killed_what_it_recorded_is_published(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, ID, str(tmp_path))
    server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    mixer, recorder = map(int, (await server.stdout.readline()).split())
    server.kill()
    await server.wait()
    await gone([mixer, recorder])
    manifest = Manifest.load(tmp_path / folder_name(ID))
    assert manifest.reason == "server_lost"
    assert manifest.status == "absent", "nobody spoke"
    assert (manifest.ended_at - manifest.started_at) == pytest.approx(0.75, abs=0.5)
    assert [(participant.call_id, participant.joins) for participant in manifest.participants] == [("a", (0.0,))]
