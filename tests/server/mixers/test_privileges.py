"""Real mixers: what they are told of scheduling is in force and logged, and a recorder beside them has none of it."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio
from structlog.testing import capture_logs

from mixer.protocol import Address, MediaFormat, MixerConfig, OutgoingStream
from recording.catalog import RecorderConfig
from recording.catalog.feeds import create_feed
from server.mixers.ports import MediaPorts
from server.mixers.supervisor import Mixers
from tests.support.privileges import needs_realtime, policy

FORMATS = (MediaFormat("pcmu", 0, 8000), MediaFormat("g722", 9, 16000), MediaFormat("opus", 111, 48000))


def ignore(*_: object) -> None:
    return


@pytest_asyncio.fixture
async def mixers() -> AsyncIterator[Mixers]:
    made = Mixers()
    await made.start()
    yield made
    await made.stop()


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def threads(pid: int | None) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


@needs_realtime
async def test_a_mixer_is_realtime_and_no_other_process_becomes_it(mixers: Mixers, tmp_path: Path) -> None:
    recording_id, fd = str(uuid.uuid4()), create_feed()
    try:
        with capture_logs() as logs:
            mixer = await mixers.launch(MixerConfig("conf", scheduling="auto"), ignore, ignore)
            assert policy(mixer.pid) == os.SCHED_FIFO
            config = RecorderConfig(recording_id, str(tmp_path), "conf", "project", "name", 1000.0)
            recorder = await mixers.launch_recorder(config, fd, ignore, ignore)
            assert mixers.forkserver_pid is not None
            for pid in (recorder.pid, mixers.forkserver_pid, os.getpid()):
                assert policy(pid) == os.SCHED_OTHER
            await until(lambda: mixer.last_beat.cpu_s and logs)
    finally:
        os.close(fd)
    (line,) = [line for line in logs if line["event"] == "mixer started"]
    assert (line["log_level"], line["conference_id"], line["mixer_pid"]) == ("info", "conf", mixer.pid)
    assert (line["scheduling"], line["priority"]) == ("realtime", 10)


async def test_a_mixer_has_one_thread_on_the_cores_it_was_given(mixers: Mixers) -> None:
    # Before the first fork, at which OpenBLAS ends the threads it made when it was imported.
    assert threads(mixers.forkserver_pid) == 1
    core = min(os.sched_getaffinity(0))
    mixer = await mixers.launch(MixerConfig("conf", cores=(core,)), ignore, ignore)
    media = MediaPorts(19_450, 19_499, "127.0.0.1").open(shared=True, remote=None)
    await mixer.lend_socket(media)
    for number, form in enumerate(FORMATS):
        outgoing = OutgoingStream(number, 0, 0)
        await mixer.add_leg(f"c{number}", media.socket_id, Address("127.0.0.1", 9 + number), form, outgoing)
    await until(lambda: mixer.last_beat.ticks > 10)
    assert threads(mixer.pid) == 1
    assert os.sched_getaffinity(mixer.pid) == {core}
    assert policy(mixer.pid) == os.SCHED_OTHER
    media.close()
