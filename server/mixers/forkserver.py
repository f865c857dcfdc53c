"""The zygote seen from the server: started once, asked to fork mixers and recorders, started again if it dies.

Those that a dead zygote leaves behind go on; only their exit status is lost. When one is needed, and what its end
means, is for the supervisor and the handles.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from mixer.protocol import (
    FORKS,
    VERSION,
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
from recording.catalog import RecorderConfig, dump_config
from server.mixers.channel import Channel, close_all, pair
from server.mixers.errors import LaunchFailed
from server.mixers.process import STATUS_WAIT_S, MixerProcess
from server.tasks import Tasks

START_S: Final = 30.0
"""Importing numpy and av takes well below a second, but not on a disk that is busy."""
STOP_S: Final = 5.0
"""More than the zygote's own grace for mixers that hang."""
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 5.0
_STDERR: Final = 2


class Forkserver:
    """Forks mixers that run the function `run`, and recorders that run `record`, given as module:function."""

    def __init__(self, run: str, record: str) -> None:
        self._run, self._record = run, record
        self._tasks = Tasks()
        self._request_ids = itertools.count(1)
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._started: asyncio.Future[None] | None = None
        self._available = asyncio.Event()
        self._stopping = False
        self._forks: dict[int, asyncio.Future[MixerProcess]] = {}
        self._mixers: dict[int, MixerProcess] = {}
        """By pid, of the zygote that runs now."""

    @property
    def pid(self) -> int | None:
        """The zygote's process id."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Start the zygote and wait until it can fork. Raises LaunchFailed, and leaves nothing behind."""
        try:
            await self._spawn()
        except BaseException:
            await self.stop()
            raise

    async def fork(self, config: MixerConfig, control: socket.socket, dump_fd: int) -> MixerProcess:
        """Fork a mixer that has `control` and `dump_fd`; waits while the zygote is being restarted.

        Raises LaunchFailed. If the caller is cancelled, the mixer is killed as soon as it is known.
        """
        return await self._fork(lambda request_id: ForkMixer(request_id, config), (control.fileno(), dump_fd))

    async def fork_recorder(
        self, config: RecorderConfig, control: socket.socket, dump_fd: int, feed_fd: int
    ) -> MixerProcess:
        """Fork a recorder that has `control`, `dump_fd` and `feed_fd`; as for the rest see `fork`."""
        fds = (control.fileno(), dump_fd, feed_fd)
        told = dump_config(config)
        return await self._fork(lambda request_id: ForkRecorder(request_id, config.recording_id, told), fds)

    async def _fork(self, make: Callable[[int], Fork], fds: tuple[int, ...]) -> MixerProcess:
        while not self._available.is_set():
            await self._available.wait()
        if self._stopping or self._channel is None:
            raise LaunchFailed("the server is stopping")
        request_id = next(self._request_ids)
        forked: asyncio.Future[MixerProcess] = asyncio.get_running_loop().create_future()
        self._forks[request_id] = forked
        self._channel.send(FORKS.dump_json(make(request_id)), fds)
        return await forked

    async def stop(self) -> None:
        """Stop the zygote, which ends the mixers that are left, if any."""
        await self._tasks.cancel_all()
        left = [process.exited for process in self._mixers.values() if not process.exited.done()]
        self._disconnect("the server is stopping")
        self._stopping = True
        self._available.set()  # whoever waits for a fork is told now
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            self._kill()
            await self._process.wait()
        if left:
            # The zygote has seen to their end; now let that be noticed, which closes their pidfds.
            await asyncio.wait(left, timeout=STATUS_WAIT_S)

    async def _spawn(self) -> None:
        """Start a zygote and wait until it is ready. Raises LaunchFailed."""
        started = self._started = asyncio.get_running_loop().create_future()
        ours, theirs = pair()
        self._channel = Channel(ours, self._on_message, self._on_closed)
        try:
            with theirs:
                self._process = await self._execute(theirs.fileno())
            async with asyncio.timeout(START_S):
                await started
        except BaseException as error:
            started.cancel()
            self._disconnect("it did not start")
            self._kill()
            if isinstance(error, TimeoutError):
                raise LaunchFailed(f"the mixers' parent process was not ready in {START_S:.0f} s") from error
            raise
        self._available.set()

    async def _execute(self, socket_fd: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                "mixer",
                "--socket",
                str(socket_fd),
                "--run",
                self._run,
                "--record",
                self._record,
            ),
            pass_fds=[socket_fd],
            env=environment(os.environ, sys.path),
            stdin=subprocess.DEVNULL,
            stdout=_STDERR,
        )

    def _on_message(self, data: bytes, fds: list[int]) -> None:
        report: ZygoteReport = ZYGOTE_REPORTS.validate_json(data)
        match report:
            case ZygoteReady():
                self._on_ready(report)
            case MixerForked():
                self._on_forked(report, fds)
            case Refused():
                self._fail(self._forks.pop(report.request_id, None), report.reason)
            case MixerExited():
                process = self._mixers.pop(report.pid, None)
                if process is not None:
                    process.reaped(report.status)

    def _on_ready(self, report: ZygoteReady) -> None:
        assert self._started is not None
        if self._started.done():
            return
        if report.version == VERSION:
            self._started.set_result(None)
        else:
            self._started.set_exception(LaunchFailed(f"mixers speak version {report.version}, the server {VERSION}"))

    def _on_forked(self, report: MixerForked, fds: list[int]) -> None:
        forked = self._forks.pop(report.request_id, None)
        if len(fds) != 1:
            # We are out of descriptors and the pidfd was cut off. The mixer ends when its socket is closed.
            close_all(fds)
            self._fail(forked, "the server may open no more files")
            return
        process = self._mixers[report.pid] = MixerProcess(report.pid, fds[0])
        if forked is None or forked.done():
            process.signal(signal.SIGKILL)
        else:
            forked.set_result(process)

    def _on_closed(self) -> None:
        assert self._started is not None
        started = self._started.done()
        self._disconnect("the mixers' parent process has died")
        if started:
            self._tasks.spawn(self._restart(), "restart the mixers' parent process")

    def _disconnect(self, reason: str) -> None:
        """Nothing more will come from this zygote."""
        self._available.clear()
        if self._channel is not None:
            self._channel.close()
        if self._started is not None and not self._started.done():
            self._started.set_exception(LaunchFailed(reason))
        for forked in self._forks.values():
            self._fail(forked, reason)
        self._forks.clear()
        for process in self._mixers.values():
            process.orphaned()
        self._mixers.clear()

    async def _restart(self) -> None:
        delay_s = _FIRST_DELAY_S
        while True:
            status = await self._process.wait() if self._process is not None else None
            structlog.get_logger().error("the mixers' parent process ended; starting another", status=status)
            try:
                await self._spawn()
            except (LaunchFailed, OSError) as error:
                structlog.get_logger().error("cannot start the mixers' parent process", reason=str(error))
            else:
                return
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    @staticmethod
    def _fail(forked: asyncio.Future[MixerProcess] | None, reason: str) -> None:
        if forked is not None and not forked.done():
            forked.set_exception(LaunchFailed(reason))


def environment(ours: Mapping[str, str], path: list[str]) -> dict[str, str]:
    """The zygote's environment: ours, without our secrets, and importing what we would import.

    Mixers read what strangers send, so they are told no keys.
    """
    kept = {name: value for name, value in ours.items() if not name.startswith("PARLEY_")}
    # One thread a mixer: a thread pool in each of a hundred processes only fights for the cores.
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in path)}
