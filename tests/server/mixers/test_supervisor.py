"""Real processes: a zygote, and fake mixers that misbehave on request (`tests/support/fake_mixer.py`)."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from mixer import protocol as p
from server.mixers import forkserver
from server.mixers.errors import LaunchFailed, MixerGone, MixerRefused
from server.mixers.handle import MixerHandle, News, Patience
from server.mixers.ports import MediaPorts
from server.mixers.supervisor import Mixers
from tests.support.fake_mixer import GOODBYES, PACKETS_IN_A_BEAT
from tests.support.processes import children, gone, open_fds, running

pytestmark = [pytest.mark.usefixtures("earlier_garbage_gone"), pytest.mark.asyncio(loop_scope="module")]

FAKE = "tests.support.fake_mixer:run"
PCMU = p.MediaFormat("pcmu", 0, 8000)
OUTGOING = p.OutgoingStream(1, 1, 1)
LOCAL = "127.0.0.1"


class Watcher:
    """A conference's side of a launch: collects what its mixer said, and how it ended."""

    def __init__(self, mixers: Mixers) -> None:
        self.mixers = mixers
        self.news: list[News] = []
        self.exits: list[tuple[MixerHandle, int | None]] = []
        self.ended = asyncio.Event()

    def on_exit(self, handle: MixerHandle, status: int | None) -> None:
        self.exits.append((handle, status))
        self.ended.set()

    async def launch(self, name: str = "conf_1") -> MixerHandle:
        return await self.mixers.launch(p.MixerConfig(name), lambda _, news: self.news.append(news), self.on_exit)

    async def exit(self) -> int | None:
        """How it ended; there must be exactly one end."""
        async with asyncio.timeout(20):
            await self.ended.wait()
        await asyncio.sleep(0)
        ((_, status),) = self.exits
        return status


async def do(mixer: MixerHandle, what: str, remote: p.Address | None = None, socket_id: int = 0) -> None:
    await mixer.add_leg(what, socket_id, remote, PCMU, OUTGOING)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def sleep_through(duration_s: float) -> None:
    """Keep the event loop from running."""
    time.sleep(duration_s)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mixers() -> AsyncIterator[Mixers]:
    """Mixers for the tests in which nobody runs out of patience."""
    before, processes = open_fds(), children()
    mixers = Mixers(run=FAKE)
    await mixers.start()
    yield mixers
    await mixers.stop()
    assert open_fds() == before
    assert children() == processes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient() -> AsyncIterator[Mixers]:
    """Mixers for the tests in which somebody does."""
    mixers = Mixers(run=FAKE, patience=Patience(ready_s=1.0, answer_s=0.5, heartbeat_s=0.8, exit_s=0.3))
    await mixers.start()
    yield mixers
    await mixers.stop()


async def test_a_mixer_is_launched_and_stops(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch()
    assert (mixer.name, mixer.alive, mixer.stopping) == ("conf_1", True, False)
    assert mixer.pid in children(mixers.forkserver_pid)
    assert mixer in mixers.handles
    with capture_logs() as logs:
        await mixer.stop()
    assert watcher.exits == [(mixer, 0)]
    assert not mixer.alive
    assert mixer not in mixers.handles
    assert not running(mixer.pid)
    assert [(entry["event"], entry["conference_id"]) for entry in logs] == [("mixer stopped", "conf_1")]
    with pytest.raises(MixerGone):
        await mixer.stats()
    await mixer.stop()
    assert len(watcher.exits) == 1


async def test_a_lent_socket_is_used_by_the_mixer_and_returned(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch()
    ports = MediaPorts(19_330, 19_339, LOCAL)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far_end:
        far_end.bind((LOCAL, 0))
        far_end.settimeout(10)
        remote = p.Address(*far_end.getsockname())
        media = ports.open(shared=False, remote=remote)
        await mixer.lend_socket(media)
        await do(mixer, "call_a", remote, media.socket_id)
        assert far_end.recvfrom(100) == (b"call_a", (LOCAL, media.port))
        lent = open_fds()[media.fileno()]
        assert lent in open_fds(mixer.pid).values()
        await mixer.return_socket(media.socket_id)
        assert lent not in open_fds(mixer.pid).values()
        media.close()
    await mixer.stop()


async def test_commands_are_answered(mixers: Mixers) -> None:
    mixer = await Watcher(mixers).launch()
    await mixer.update_legs([p.LegPart("call_a", heard=False, hears=True)])
    removed = await mixer.remove_leg("call_a", bye=True)
    assert (removed.call_id, removed.outgoing, removed.remote) == ("call_a", p.OutgoingStream(1, 2, 3, 4), None)
    calls, figures = await mixer.stats()
    assert [call.call_id for call in calls] == ["call_0", "call_1", "call_2"]
    assert figures.ticks == 7
    with pytest.raises(MixerRefused, match="no such socket"):
        await do(mixer, "refuse")
    many = await asyncio.gather(*(mixer.remove_leg(f"call_{n}") for n in range(300)))
    assert [answer.call_id for answer in many] == [f"call_{n}" for n in range(300)]
    await mixer.stop()


async def test_news_and_log_lines_come_up(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch("conf_chatty")
    with capture_logs() as logs:
        await do(mixer, "chatty")
    assert watcher.news == [p.Dtmf("chatty", "5", 100)]
    (entry,) = logs
    assert entry["event"] == "a log line"
    assert entry["log_level"] == "warning"
    assert (entry["conference_id"], entry["call_id"]) == ("conf_chatty", "chatty")
    await mixer.stop()


async def test_a_listener_that_fails_harms_nobody(mixers: Mixers) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("as requested")

    mixer = await mixers.launch(p.MixerConfig("conf_1"), fail, fail)
    with capture_logs() as logs:
        await do(mixer, "chatty")
        await mixer.stop()
    failures = [entry for entry in logs if entry["event"] == "a listener failed"]
    assert len(failures) == 2
    assert mixer not in mixers.handles


@pytest.mark.parametrize(
    ("what", "status", "stack"),
    [
        ("crash", 3, ""),
        ("raise", 70, "RuntimeError: as requested"),
        ("segv", -signal.SIGSEGV, "Segmentation fault"),
    ],
)
async def test_a_death_fails_requests_at_once_and_is_told_once(
    mixers: Mixers, what: str, status: int, stack: str
) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch()
    died = mixers.totals().mixers_died
    with capture_logs() as logs:
        answers = await asyncio.gather(do(mixer, what), mixer.stats(), return_exceptions=True)
        assert [type(answer) for answer in answers] == [MixerGone, MixerGone]
        assert not mixer.alive
        assert await watcher.exit() == status
    assert mixers.totals().mixers_died == died + 1
    (entry,) = logs
    assert (entry["event"], entry["status"]) == ("mixer died", status)
    assert stack in entry["stack"]


async def test_a_kill_is_noticed_without_a_request(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch()
    mixer.kill()
    assert await watcher.exit() == -signal.SIGKILL
    mixer.kill()


async def test_the_last_words_of_a_mixer_are_heard_before_its_end(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    mixer = await watcher.launch()
    with pytest.raises(MixerGone):
        await do(mixer, "goodbye")
    assert await watcher.exit() == 0
    assert watcher.news == [p.LegBye("goodbye")] * GOODBYES


async def test_a_caller_that_is_cancelled_leaves_the_mixer_usable(mixers: Mixers) -> None:
    mixer = await Watcher(mixers).launch()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await mixer.stats()
    assert mixer.alive
    assert (await mixer.remove_leg("call_a")).call_id == "call_a"
    await mixer.stop()


async def test_a_mixer_that_dies_before_it_is_ready_is_a_failed_launch(mixers: Mixers) -> None:
    watcher = Watcher(mixers)
    with pytest.raises(LaunchFailed):
        await watcher.launch("stillborn")
    await until(lambda: not mixers.handles)
    assert watcher.exits == []


async def test_a_cancelled_launch_leaves_nothing(mixers: Mixers) -> None:
    before = open_fds()
    watcher = Watcher(mixers)
    for rounds in range(6):
        launch = asyncio.ensure_future(watcher.launch("slow"))  # noqa: TID251
        for _ in range(rounds):
            await asyncio.sleep(0.001)
        launch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await launch
    await until(lambda: not mixers.handles and not children(mixers.forkserver_pid) and open_fds() == before)
    assert watcher.exits == []


async def test_totals_never_fall_when_mixers_end(mixers: Mixers) -> None:
    first, second = Watcher(mixers), Watcher(mixers)
    before = mixers.totals()
    mixer, other = await first.launch(), await second.launch()
    await until(lambda: min(mixer.last_beat.ticks, other.last_beat.ticks) >= 2)
    running_now = mixers.totals()
    assert running_now.mixers_running == 2
    assert running_now.legs == 4
    assert running_now.mixers_started == before.mixers_started + 2
    await mixer.stop()
    other.kill()
    await second.exit()
    after = mixers.totals()
    assert (after.legs, after.mixers_running) == (0, 0)
    assert after.ticks >= running_now.ticks
    assert after.ticks - before.ticks == mixer.last_beat.ticks + other.last_beat.ticks
    assert after.packets_in - before.packets_in == (after.ticks - before.ticks) * PACKETS_IN_A_BEAT
    assert after.dropped["stranger"] - before.dropped.get("stranger", 0) == after.ticks - before.ticks
    assert after.late_ticks - before.late_ticks == 2
    assert after.cpu_s - before.cpu_s == 1.0
    assert after.mixers_died == before.mixers_died + 1


async def test_fifty_launches_leave_no_process_and_no_descriptor(mixers: Mixers) -> None:
    before = open_fds()
    for _ in range(50):
        await (await Watcher(mixers).launch()).stop()
    assert children(mixers.forkserver_pid) == set()
    assert open_fds() == before


async def test_a_hung_mixer_is_dumped_killed_and_its_caller_told(impatient: Mixers) -> None:
    watcher = Watcher(impatient)
    mixer = await watcher.launch()
    with capture_logs() as logs:
        with pytest.raises(MixerGone, match="did not answer add_leg"):
            await do(mixer, "hang")
        assert not mixer.alive
        assert await watcher.exit() == -signal.SIGKILL
    entry = next(entry for entry in logs if entry["event"] == "mixer hangs and is killed")
    assert "fake_mixer.py" in entry["stack"]
    assert "in add" in entry["stack"]


@pytest.mark.parametrize("what", ["freeze", "ignore", "deaf"])
async def test_whatever_way_a_mixer_fails_to_answer_it_is_replaced(impatient: Mixers, what: str) -> None:
    watcher = Watcher(impatient)
    mixer = await watcher.launch()
    with pytest.raises(MixerGone):
        await do(mixer, what)
    assert await watcher.exit() == -signal.SIGKILL


async def test_a_mixer_without_heartbeats_is_killed(impatient: Mixers) -> None:
    watcher = Watcher(impatient)
    with capture_logs() as logs:
        await watcher.launch("silent")
        assert await watcher.exit() == -signal.SIGKILL
    assert any("no heartbeat" in entry.get("reason", "") for entry in logs)


async def test_heartbeats_and_answers_that_wait_to_be_read_count(impatient: Mixers) -> None:
    watcher = Watcher(impatient)
    mixer = await watcher.launch()
    asked = asyncio.ensure_future(mixer.stats())  # noqa: TID251
    await asyncio.sleep(0)
    # This process sleeps through heartbeats and the answer, as it does when it is stopped and continued.
    sleep_through(1.0)
    assert (await asked)[1].ticks == 7
    assert mixer.alive
    await mixer.stop()
    assert watcher.exits == [(mixer, 0)]


async def test_a_mixer_that_does_not_get_ready_is_a_failed_launch(impatient: Mixers) -> None:
    watcher = Watcher(impatient)
    with pytest.raises(LaunchFailed, match="not ready in 1 s"):
        await watcher.launch("slow")
    await until(lambda: not impatient.handles)
    assert watcher.exits == []


async def test_a_mixer_that_does_not_stop_is_killed(impatient: Mixers) -> None:
    watcher = Watcher(impatient)
    mixer = await watcher.launch("stubborn")
    await mixer.stop(grace_s=0.1)
    assert watcher.exits == [(mixer, -signal.SIGKILL)]


async def test_mixers_go_on_when_their_parent_dies_and_new_ones_come_from_another(impatient: Mixers) -> None:
    old, new = Watcher(impatient), Watcher(impatient)
    mixer = await old.launch()
    first_parent = impatient.forkserver_pid
    assert first_parent is not None
    os.kill(first_parent, signal.SIGKILL)
    await gone([first_parent])
    async with asyncio.timeout(20):
        while True:
            try:
                another = await new.launch()
                break
            except LaunchFailed:
                await asyncio.sleep(0.01)
    assert impatient.forkserver_pid != first_parent
    assert (await mixer.stats())[1].ticks == 7
    mixer.kill()
    # Nobody is left to say how it ended, but that it did is noticed.
    assert await old.exit() is None
    await another.stop()


async def test_stop_ends_everything_also_what_hangs_and_what_is_starting() -> None:
    before, processes = open_fds(), children()
    mixers = Mixers(run=FAKE)
    await mixers.start()
    watchers = [Watcher(mixers) for _ in range(4)]
    good, hung, stubborn = [
        await watcher.launch(name) for watcher, name in zip(watchers, ["good", "hung", "stubborn"], strict=False)
    ]
    starting = asyncio.ensure_future(watchers[3].launch("slow"))  # noqa: TID251
    hanging = asyncio.ensure_future(do(hung, "hang"))  # noqa: TID251
    await until(lambda: len(mixers.handles) == 4)
    await mixers.stop(grace_s=0.2)
    ends = await asyncio.gather(starting, hanging, return_exceptions=True)
    assert [type(end) for end in ends] == [LaunchFailed, MixerGone]
    assert [[status for _, status in watcher.exits] for watcher in watchers] == [[0], [-9], [-9], []]
    assert not any(running(mixer.pid) for mixer in (good, hung, stubborn))
    with pytest.raises(LaunchFailed, match="stopping"):
        await Watcher(mixers).launch()
    assert children() == processes
    assert open_fds() == before


async def test_a_parent_that_can_not_start_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    before = open_fds()
    mixers = Mixers(run="tests.support.fake_mixer:no_such_function")
    with pytest.raises(LaunchFailed):
        await mixers.start()
    assert "no_such_function" in capfd.readouterr().err
    assert open_fds() == before


async def test_no_secret_goes_to_a_mixer() -> None:
    ours = {"PARLEY_API_KEYS": "secret", "HOME": "/root", "PYTHONPATH": "/elsewhere"}
    environment = forkserver.environment(ours, ["", "/one"])
    assert "PARLEY_API_KEYS" not in environment
    assert environment["HOME"] == "/root"
    assert environment["OPENBLAS_NUM_THREADS"] == "1"
    assert environment["PYTHONPATH"] == f"{Path.cwd()}:/one"


SERVER = f"""
import asyncio, sys
from mixer.protocol import MixerConfig
from server.mixers.supervisor import Mixers

async def main():
    mixers = Mixers(run={FAKE!r})
    await mixers.start()
    handles = [await mixers.launch(MixerConfig("conf"), print, print) for _ in range(3)]
    print(mixers.forkserver_pid, *(handle.pid for handle in handles), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_server_that_is_killed_leaves_no_process() -> None:
    def run_and_kill() -> list[int]:
        with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            pids = [int(pid) for pid in server.stdout.readline().split()]
            assert all(running(pid) for pid in pids)
            server.kill()
        return pids

    pids = await asyncio.to_thread(run_and_kill)
    assert len(pids) == 4
    await gone(pids)
