"""The process that mixers are forked from.

It has one thread and does three things: forks a mixer when the server asks, tells the server how each one
ended, and ends itself when the server is gone, with every mixer that doesn't. Children are watched through
pidfds, so it needs no signal handler, which a fork would inherit. What a mixer does is the business of the
`run` function it is given; which modules are loaded before is `__main__`'s.
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
from typing import Final, NoReturn

from mixer import clock, packets
from mixer.protocol import (
    FORKS,
    ZYGOTE_REPORTS,
    ForkMixer,
    MixerConfig,
    MixerExited,
    MixerForked,
    Refused,
    ZygoteReady,
    ZygoteReport,
)

Run = Callable[[socket.socket, MixerConfig], int]
"""A mixer: its control socket and birth message in, its exit code out."""

GRACE_MS: Final = 3_000
"""How long mixers may take to end by themselves after the server is gone."""

_EXIT_CRASHED: Final = 70  # sysexits.h: EX_SOFTWARE
_COMM_BYTES: Final = 15  # what the kernel keeps of a process name
_STDERR: Final = 2


class Zygote:
    """Serves `ForkMixer` on `sock`, a blocking SOCK_SEQPACKET socket, until its peer closes it."""

    def __init__(self, sock: socket.socket, run: Run) -> None:
        sock.setblocking(True)
        packets.enlarge_send_buffer(sock)
        self._sock = sock
        self._run = run
        self._buffer = bytearray(packets.MAX_MESSAGE_BYTES)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._children: dict[int, int] = {}
        """pid by pidfd."""

    def serve(self) -> None:
        """Fork and reap; returns when the server is gone and no mixer is left."""
        # Ctrl-C in a terminal goes to the whole group, but only the server decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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
            if not packet.whole or len(packet.fds) != 2:
                raise ValueError(f"expected 2 descriptors, got {len(packet.fds)}")
            self._fork(request, *packet.fds)
        except ValueError as error:
            print(f"zygote: wrong request: {error}", file=sys.stderr, flush=True)
        finally:
            packets.close_all(packet.fds)
        return True

    def _fork(self, request: ForkMixer, control_fd: int, dump_fd: int) -> None:
        try:
            pid = os.fork()
            if pid == 0:
                # The socket object must not close a number that will be something else's in this process.
                self._sock.detach()
                become_mixer(self._run, request.config, control_fd, dump_fd)
            pidfd = _watch(pid)
        except OSError as error:
            self._send(Refused(request.request_id, f"cannot fork a mixer: {error.strerror}"))
            return
        self._children[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)
        self._send(MixerForked(request.request_id, pid), pidfd)

    def _reap(self, pidfd: int) -> None:
        pid = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._send(MixerExited(pid, os.waitstatus_to_exitcode(status)))

    def _send(self, report: ZygoteReport, *fds: int) -> None:
        # A server that is gone is noticed by reading; until then reports to it are void.
        with contextlib.suppress(ConnectionError):
            socket.send_fds(self._sock, [ZYGOTE_REPORTS.dump_json(report)], fds)

    def _outlive_mixers(self) -> None:
        """Let mixers end, since their sockets closed too, then kill those that hang."""
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


def become_mixer(run: Run, config: MixerConfig, control_fd: int, dump_fd: int) -> NoReturn:
    """Turn this freshly forked process into a mixer; exits with `run`'s result.

    A stack asked for by SIGUSR2, of a crash inside C code, or of an exception goes to `dump_fd`, which the
    server reads after the mixer's death.
    """
    status = _EXIT_CRASHED
    try:
        _close_all_but({0, 1, _STDERR, control_fd, dump_fd})
        faulthandler.enable(dump_fd)
        faulthandler.register(signal.SIGUSR2, dump_fd)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _set_process_name(config.name)
        status = run(socket.socket(fileno=control_fd), config)
    except BaseException:
        os.write(dump_fd, traceback.format_exc().encode())
    finally:
        # Not sys.exit: the frames below belong to the zygote and must not go on in two processes.
        os._exit(status)


def _close_all_but(keep: Iterable[int]) -> None:
    """Close what was inherited: the zygote's socket, and the pidfds of the other mixers."""
    packets.close_all({int(path.name) for path in Path("/proc/self/fd").iterdir()}.difference(keep))


def _set_process_name(name: str) -> None:
    """Show up as `mixer ...` in ps and top, with the end of `name`: ids begin alike and differ at the end."""
    title = b"mixer " + name.encode("ascii", "replace")[-(_COMM_BYTES - 6) :]
    Path("/proc/self/comm").write_bytes(title)
