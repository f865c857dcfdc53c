"""The process that mixers and recorders are forked from.

It has one thread and does three things: forks a mixer or a recorder when the server asks, tells the server how each
one ended, and ends itself when the server is gone, with every mixer that doesn't; recorders go on, to publish what they
have. Children are watched through pidfds, so it needs no signal handler, which a fork would inherit. What a mixer or a
recorder does is the business of the functions it is given; which modules are loaded before is `__main__`'s.
"""

import contextlib
import faulthandler
import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

from mixer import clock, packets
from mixer.protocol import (
    FORKS,
    ZYGOTE_REPORTS,
    Fork,
    ForkMixer,
    ForkRecorder,
    MixerConfig,
    MixerExited,
    MixerForked,
    Refused,
    ZygoteReady,
    ZygoteReport,
)

Run = Callable[[socket.socket, MixerConfig], int]
"""A mixer: its control socket and birth message in, its exit code out."""

Record = Callable[[socket.socket, int, dict[str, Any]], int]
"""A recorder: its control socket, its feed and its birth message in, its exit code out."""

GRACE_MS: Final = 3_000
"""How long mixers may take to end by themselves after the server is gone."""

_EXIT_CRASHED: Final = 70  # sysexits.h: EX_SOFTWARE
_STDERR: Final = 2


class Zygote:
    """Serves `Fork` on `sock`, a blocking SOCK_SEQPACKET socket, until its peer closes it."""

    def __init__(self, sock: socket.socket, run: Run, record: Record) -> None:
        sock.setblocking(True)
        packets.enlarge_send_buffer(sock)
        self._sock = sock
        self._run, self._record = run, record
        self._buffer = bytearray(packets.MAX_MESSAGE_BYTES)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._children: dict[int, int] = {}
        """pid by pidfd."""
        self._recorders: set[int] = set()
        """Those of the pidfds."""

    def serve(self) -> None:
        """Fork and reap; returns when the server is gone and no mixer is left."""
        # Ctrl-C in a terminal goes to the whole group, but only the server decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _be_ordinary()
        # What is alive now lives for ever: out of the collector's sight its pages stay shared with all forks.
        gc.collect()
        gc.freeze()
        self._send(ZygoteReady(os.getpid()))
        while True:
            readable = [fd for fd, _ in self._poll.poll()]
            for pidfd in readable:
                if pidfd in self._children:
                    self._reap(pidfd)
            if self._sock.fileno() in readable and not self._take_request():
                break
        self._poll.unregister(self._sock)
        self._outlive_mixers()

    def _take_request(self) -> bool:
        """Serve one message; False if there will be no more."""
        packet = packets.receive(self._sock, self._buffer)
        if packet is None:
            return False
        try:
            request = FORKS.validate_json(packet.data)
            wanted = 3 if isinstance(request, ForkRecorder) else 2
            if not packet.whole or len(packet.fds) != wanted:
                raise ValueError(f"expected {wanted} descriptors, got {len(packet.fds)}")
            self._fork(request, packet.fds)
        except ValueError as error:
            print(f"zygote: wrong request: {error}", file=sys.stderr, flush=True)
        finally:
            packets.close_all(packet.fds)
        return True

    def _fork(self, request: Fork, fds: list[int]) -> None:
        try:
            pid = os.fork()
            if pid == 0:
                # The socket object must not close a number that will be something else's in this process.
                self._sock.detach()
                self._become(request, fds)
            pidfd = _watch(pid)
        except OSError as error:
            self._send(Refused(request.request_id, f"cannot fork: {error.strerror}"))
            return
        self._children[pidfd] = pid
        if isinstance(request, ForkRecorder):
            self._recorders.add(pidfd)
        self._poll.register(pidfd, select.POLLIN)
        self._send(MixerForked(request.request_id, pid), pidfd)

    def _become(self, request: Fork, fds: list[int]) -> NoReturn:
        control_fd = fds[0]
        if isinstance(request, ForkMixer):
            config = request.config
            _become(f"mixer {_end(config.name, 9)}", fds, lambda: self._run(_socket(control_fd), config))
        settings, feed_fd = request.config, fds[2]
        title = f"recorder {_end(request.recording_id, 6)}"
        _become(title, fds, lambda: self._record(_socket(control_fd), feed_fd, settings))

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._recorders.discard(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._send(MixerExited(pid, os.waitstatus_to_exitcode(status)))

    def _send(self, report: ZygoteReport, *fds: int) -> None:
        # A server that is gone is noticed by reading; until then reports to it are void.
        with contextlib.suppress(ConnectionError):
            socket.send_fds(self._sock, [ZYGOTE_REPORTS.dump_json(report)], fds)

    def _outlive_mixers(self) -> None:
        """Let mixers end, since their sockets closed too, then kill those that hang. Recorders are left alone."""
        for pidfd in self._recorders:
            self._poll.unregister(pidfd)
            del self._children[pidfd]
        deadline_ns = clock.monotonic_ns() + GRACE_MS * 1_000_000
        while self._children and (left_ns := deadline_ns - clock.monotonic_ns()) > 0:
            for pidfd, _ in self._poll.poll(left_ns / 1_000_000):
                self._reap(pidfd)
        for pidfd in self._children:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        for pidfd in list(self._children):
            self._reap(pidfd)


def _watch(pid: int) -> int:
    """A pidfd of our child. Nobody else reaps it, so its number can't have been reused yet."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _become(title: str, fds: list[int], run: Callable[[], int]) -> NoReturn:
    """Turn this freshly forked process into a mixer or recorder; exits with `run`'s result.

    `fds`: its descriptors, of which the second is for a stack asked for by SIGUSR2, of a crash inside C code, or of an
    exception; the server reads it after the death.
    """
    status, dump_fd = _EXIT_CRASHED, fds[1]
    try:
        _close_all_but({0, 1, _STDERR, *fds})
        faulthandler.enable(dump_fd)
        faulthandler.register(signal.SIGUSR2, dump_fd)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        Path("/proc/self/comm").write_bytes(title.encode("ascii", "replace"))
        status = run()
    except BaseException:
        os.write(dump_fd, traceback.format_exc().encode())
    finally:
        # Not sys.exit: the frames below belong to the zygote and must not go on in two processes.
        os._exit(status)


def _be_ordinary() -> None:
    """A server that was started as a real-time process is not to make its recorders real-time too, nor this one.

    Mixers ask for it themselves, with a guard.
    """
    if os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_RR):
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _close_all_but(keep: Iterable[int]) -> None:
    """Close what was inherited: the zygote's socket, and the pidfds of the other mixers."""
    packets.close_all({int(path.name) for path in Path("/proc/self/fd").iterdir()}.difference(keep))


def _socket(fd: int) -> socket.socket:
    return socket.socket(fileno=fd)


def _end(name: str, letters: int) -> str:
    """What fits beside the kind of process in the 15 bytes that the kernel keeps: ids begin alike and end unlike."""
    return name[-letters:]
