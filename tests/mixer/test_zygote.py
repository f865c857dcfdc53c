"""A real zygote, with a fake mixer for it to fork."""

import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mixer import packets
from mixer import protocol as p
from tests.support.privileges import needs_realtime, policy
from tests.support.processes import children, open_fds, running, wait_until_gone

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")

FUNCTIONS = ("--run", "tests.support.fake_mixer:run", "--record", "tests.support.fake_recorder:run")
PCMU = p.MediaFormat("pcmu", 0, 8000)


class Child:
    """A mixer that the zygote forked."""

    def __init__(self, pid: int, pidfd: int, control: socket.socket, dump_fd: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.control = control
        self.dump_fd = dump_fd

    def report(self) -> p.Report:
        """The next report that is no heartbeat."""
        while True:
            report = p.REPORTS.validate_json(self.control.recv(1 << 20))
            if not isinstance(report, p.Heartbeat):
                return report

    def do(self, what: str) -> None:
        """Make the fake mixer misbehave."""
        leg = p.AddLeg(2, what, 0, None, PCMU, p.OutgoingStream(1, 1, 1))
        self.control.send(p.COMMANDS.dump_json(leg))

    def stop(self) -> None:
        self.control.send(p.COMMANDS.dump_json(p.Stop(5)))

    def dump(self) -> str:
        return os.pread(self.dump_fd, 1 << 16, 0).decode()

    def close(self) -> None:
        self.control.close()
        os.close(self.pidfd)
        os.close(self.dump_fd)


class Parent:
    """The server's side of a zygote."""

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(20)
        self.buffer = bytearray(packets.MAX_MESSAGE_BYTES)
        self.mixers: set[int] = set()
        with theirs:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "mixer", "--socket", str(theirs.fileno()), *FUNCTIONS),
                pass_fds=[theirs.fileno()],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )

    def read(self) -> tuple[p.ZygoteReport, list[int]]:
        packet = packets.receive(self.sock, self.buffer)
        assert packet is not None
        report = p.ZYGOTE_REPORTS.validate_json(packet.data)
        if isinstance(report, p.MixerForked):
            self.mixers.add(report.pid)
        elif isinstance(report, p.MixerExited):
            self.mixers.remove(report.pid)
        return report, packet.fds

    def ask(self, request_id: int, name: str) -> tuple[socket.socket, int]:
        """Ask for a mixer; its control socket and its dump file."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(20)
        dump_fd = os.memfd_create("dump")
        with theirs:
            request = p.FORKS.dump_json(p.ForkMixer(request_id, p.MixerConfig(name)))
            socket.send_fds(self.sock, [request], [theirs.fileno(), dump_fd])
        return ours, dump_fd

    def record(self, config: dict[str, Any]) -> Child:
        """Ask for a recorder."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(20)
        dump_fd, feed_fd = os.memfd_create("dump"), os.memfd_create("feed")
        os.write(feed_fd, b"sound")
        with theirs:
            request = p.FORKS.dump_json(p.ForkRecorder(1, "5b8f2f4e-6a43-4b6c-9a3e-0a7b2c1d9e0f", config))
            socket.send_fds(self.sock, [request], [theirs.fileno(), dump_fd, feed_fd])
        os.close(feed_fd)
        forked, (pidfd,) = self.read()
        assert isinstance(forked, p.MixerForked)
        return Child(forked.pid, pidfd, ours, dump_fd)

    def fork(self, name: str = "conf_1") -> Child:
        control, dump_fd = self.ask(1, name)
        forked, (pidfd,) = self.read()
        assert isinstance(forked, p.MixerForked)
        mixer = Child(forked.pid, pidfd, control, dump_fd)
        assert mixer.report() == p.Ready(mixer.pid)
        return mixer


@pytest.fixture(scope="module")
def zygote() -> Iterator[Parent]:
    before = open_fds()
    parent = Parent()
    assert parent.read() == (p.ZygoteReady(parent.process.pid, p.VERSION), [])
    yield parent
    parent.sock.close()
    try:
        assert parent.process.wait(timeout=10) == 0
    finally:
        parent.process.kill()
        parent.process.wait()
    assert open_fds() == before


@pytest.fixture
def parent(zygote: Parent) -> Iterator[Parent]:
    """The zygote all tests share; none leaves a mixer or a descriptor behind."""
    ours, its = open_fds(), open_fds(zygote.process.pid)
    yield zygote
    while zygote.mixers:
        assert isinstance(zygote.read()[0], p.MixerExited)
    assert children(zygote.process.pid) == set()
    assert open_fds() == ours
    assert open_fds(zygote.process.pid) == its


def test_a_forked_mixer_runs_and_its_exit_code_is_reported(parent: Parent) -> None:
    mixer = parent.fork()
    assert children(parent.process.pid) == {mixer.pid}
    mixer.stop()
    assert mixer.report() == p.Done(5)
    assert parent.read() == (p.MixerExited(mixer.pid, 0), [])
    assert children(parent.process.pid) == set()
    mixer.close()


def test_the_forked_process_keeps_nothing_of_the_zygote(parent: Parent) -> None:
    first, second = parent.fork(), parent.fork()
    for mixer in (first, second):
        # Standard streams, its control socket, its dump file.
        assert len(open_fds(mixer.pid)) == 5
        status = Path(f"/proc/{mixer.pid}/status").read_text()
        ignored, caught = (int(re.findall(rf"{name}:\s*(\w+)", status)[0], 16) for name in ("SigIgn", "SigCgt"))
        assert ignored & 1 << signal.SIGINT - 1
        assert not (ignored | caught) & 1 << signal.SIGTERM - 1
        assert caught & 1 << signal.SIGUSR2 - 1
    first.close()
    # The second holds no copy of the first one's socket: closing one ends one.
    assert parent.read() == (p.MixerExited(first.pid, 0), [])
    assert running(second.pid)
    second.close()


def test_the_zygote_has_one_thread_and_the_preload_in_memory(parent: Parent) -> None:
    assert len(list(Path(f"/proc/{parent.process.pid}/task").iterdir())) == 1
    maps = Path(f"/proc/{parent.process.pid}/maps").read_text()
    assert "numpy" in maps
    assert "libavcodec" in maps
    assert "_cffi_backend" in maps


@pytest.mark.parametrize(
    ("name", "title"),
    [("lobby", "mixer lobby"), ("conf_01ABCDEFGHIJKLM", "mixer EFGHIJKLM"), ("café", "mixer caf?")],
)
def test_the_process_shows_its_conference(parent: Parent, name: str, title: str) -> None:
    mixer = parent.fork(name)
    assert Path(f"/proc/{mixer.pid}/comm").read_text().strip() == title
    mixer.close()


@pytest.mark.parametrize(
    ("what", "status", "dump"),
    [
        ("raise", 70, "RuntimeError: as requested"),
        ("segv", -signal.SIGSEGV, "Fatal Python error: Segmentation fault"),
    ],
)
def test_how_a_mixer_died_is_reported_and_written_down(parent: Parent, what: str, status: int, dump: str) -> None:
    mixer = parent.fork()
    mixer.do(what)
    assert parent.read() == (p.MixerExited(mixer.pid, status), [])
    assert dump in mixer.dump()
    mixer.close()


def test_a_hung_mixer_writes_its_stack_when_asked(parent: Parent) -> None:
    mixer = parent.fork()
    mixer.do("hang")
    mixer.control.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            mixer.report()
    signal.pidfd_send_signal(mixer.pidfd, signal.SIGUSR2)
    while "fake_mixer.py" not in mixer.dump():
        assert select.select([mixer.pidfd], [], [], 0.01)[0] == []
    assert "in add" in mixer.dump()
    signal.pidfd_send_signal(mixer.pidfd, signal.SIGKILL)
    assert parent.read() == (p.MixerExited(mixer.pid, -signal.SIGKILL), [])
    mixer.close()


def test_wrong_requests_are_survived(parent: Parent) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    request = p.FORKS.dump_json(p.ForkMixer(1, p.MixerConfig("conf_1")))
    recorder = p.FORKS.dump_json(p.ForkRecorder(1, "rec", {}))
    wrong = [(b"nonsense", [null, null]), (request, []), (request, [null] * 3), (request, [null] * 9)]
    for data, fds in [*wrong, (recorder, [null] * 2), (recorder, [null] * 4)]:
        socket.send_fds(parent.sock, [data], fds)
    os.close(null)
    parent.fork().close()


def test_a_fork_that_is_not_possible_is_refused(parent: Parent) -> None:
    # Root is exempt from a limit on processes, so it is the child's pidfd that can't be had.
    free = set(range(100)).difference(open_fds(parent.process.pid))
    just_the_request = sorted(free)[1] + 1
    limits = resource.prlimit(parent.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(parent.process.pid, resource.RLIMIT_NOFILE, (just_the_request, limits[1]))
    control, dump_fd = parent.ask(8, "conf_1")
    refused, _ = parent.read()
    assert isinstance(refused, p.Refused)
    assert refused.request_id == 8
    assert "Too many open files" in refused.reason
    assert children(parent.process.pid) == set()
    resource.prlimit(parent.process.pid, resource.RLIMIT_NOFILE, limits)
    control.close()
    os.close(dump_fd)
    parent.fork().close()


def test_ctrl_c_is_left_to_the_server(parent: Parent) -> None:
    mixer = parent.fork()
    os.kill(parent.process.pid, signal.SIGINT)
    os.kill(mixer.pid, signal.SIGINT)
    other = parent.fork()
    mixer.stop()
    assert mixer.report() == p.Done(5)
    mixer.close()
    other.close()


@needs_realtime
def test_what_a_realtime_server_starts_is_not_realtime() -> None:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        parent = Parent()
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    assert isinstance(parent.read()[0], p.ZygoteReady)
    recorder, mixer = parent.record({"linger": "/nowhere"}), parent.fork()
    assert [policy(pid) for pid in (parent.process.pid, recorder.pid, mixer.pid)] == [os.SCHED_OTHER] * 3
    recorder.control.send(b"exit")
    mixer.stop()
    parent.sock.close()
    assert parent.process.wait(timeout=10) == 0
    wait_until_gone([recorder.pid, mixer.pid])
    recorder.close()
    mixer.close()


def test_nothing_remains_when_the_server_is_gone_not_even_a_mixer_that_hangs() -> None:
    parent = Parent()
    parent.read()
    good, hung = parent.fork(), parent.fork()
    hung.do("hang")
    for mixer in (good, hung):
        mixer.close()
    parent.sock.close()
    assert parent.process.wait(timeout=20) == 0
    wait_until_gone([good.pid, hung.pid])


def test_mixers_outlive_the_zygote() -> None:
    parent = Parent()
    parent.read()
    mixer = parent.fork()
    parent.process.kill()
    parent.process.wait()
    parent.sock.close()
    mixer.stop()
    assert mixer.report() == p.Done(5)
    wait_until_gone([mixer.pid])
    mixer.close()


def test_the_zygote_ends_when_the_server_died_before_it_was_ready() -> None:
    parent = Parent()
    parent.sock.close()
    assert parent.process.wait(timeout=20) == 0


def test_a_recorder_has_what_it_was_given_and_nothing_else(parent: Parent) -> None:
    recorder = parent.record({"a": [1, "x"]})
    assert json.loads(recorder.control.recv(1 << 16)) == {"config": {"a": [1, "x"]}, "feed": "sound"}
    # Standard streams, its control socket, its dump file, its feed.
    assert len(open_fds(recorder.pid)) == 6
    assert Path(f"/proc/{recorder.pid}/comm").read_text().strip() == "recorder 1d9e0f"
    recorder.control.send(b"exit")
    assert parent.read() == (p.MixerExited(recorder.pid, 3), [])
    recorder.close()


def test_how_a_recorder_died_is_written_down(parent: Parent) -> None:
    recorder = parent.record({})
    recorder.control.recv(1 << 16)
    recorder.control.send(b"raise")
    assert parent.read() == (p.MixerExited(recorder.pid, 70), [])
    assert "as requested" in recorder.dump()
    recorder.close()


def test_recorders_outlive_the_server_and_the_zygote(tmp_path: Path) -> None:
    parent = Parent()
    parent.read()
    mixer, recorder = parent.fork(), parent.record({"linger": str(tmp_path / "done")})
    recorder.control.recv(1 << 16)
    recorder.control.close()
    parent.sock.close()
    mixer.control.close()
    assert parent.process.wait(timeout=20) == 0
    assert select.select([recorder.pidfd], [], [], 0)[0] == [], "it lingers"
    (tmp_path / "go").touch()
    assert select.select([recorder.pidfd], [], [], 20)[0] == [recorder.pidfd]
    assert (tmp_path / "done").read_text() == "published"
    for fd in (recorder.pidfd, recorder.dump_fd, mixer.pidfd, mixer.dump_fd):
        os.close(fd)
