"""All mixers and recorders of this server: launching them, counting what mixers do, and stopping them.

A launch either gives one that takes commands or leaves nothing behind. How one is spoken to is the business of `handle`
and `recorder`; which conference gets one, and what happens when it dies, is the service's.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from mixer.protocol import MixerConfig
from recording.catalog import RecorderConfig
from server.mixers.channel import pair
from server.mixers.errors import LaunchFailed
from server.mixers.forkserver import Forkserver
from server.mixers.handle import MixerHandle, News, Patience
from server.mixers.process import MixerProcess
from server.mixers.recorder import RecorderHandle, RecorderNews
from server.mixers.totals import MixerTotals, Tally
from server.tasks import Tasks

MIXER: Final = "mixer.loop:run"
RECORDER: Final = "recording.process:run"


class Mixers:
    """Mixer processes that run the function `run`, and recorders that run `record`, given as module:function."""

    def __init__(self, *, run: str = MIXER, record: str = RECORDER, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._forkserver = Forkserver(run, record)
        self._tasks = Tasks()
        self._handles: set[MixerHandle] = set()
        self._recorders: set[RecorderHandle] = set()
        self._tally = Tally()
        self._stopping = False

    @property
    def handles(self) -> frozenset[MixerHandle]:
        """The mixers whose processes run."""
        return frozenset(self._handles)

    @property
    def forkserver_pid(self) -> int | None:
        """The process id of the mixers' parent."""
        return self._forkserver.pid

    async def start(self) -> None:
        """Get ready to launch. Raises LaunchFailed if mixers can't run here at all."""
        raise_descriptor_limit()
        await self._forkserver.start()

    async def launch(
        self,
        config: MixerConfig,
        on_report: Callable[[MixerHandle, News], None],
        on_exit: Callable[[MixerHandle, int | None], None],
    ) -> MixerHandle:
        """Start a mixer and wait until it takes commands.

        `on_report(handle, news)` and `on_exit(handle, status)` are called on the event loop; the latter
        exactly once for each launch that returned, however the mixer ends. Raises LaunchFailed; then
        neither is called.
        """
        handle: MixerHandle | None = None
        launched = False

        def exited(gone: MixerHandle, status: int | None) -> None:
            self._forget(gone)
            if launched:
                on_exit(gone, status)

        try:
            async with asyncio.timeout(self._patience.ready_s):
                handle = await self._fork(config, on_report, exited)
                await handle.ready()
            if handle not in self._handles:
                raise LaunchFailed(f"mixer {config.name} ended as soon as it was ready")
        except BaseException as error:
            if handle is not None:
                handle.stopping |= isinstance(error, asyncio.CancelledError)
                handle.kill()
            if isinstance(error, TimeoutError):
                message = f"mixer {config.name} was not ready in {self._patience.ready_s:g} s"
                raise LaunchFailed(message) from error
            raise
        launched = True
        return handle

    async def launch_recorder(
        self,
        config: RecorderConfig,
        feed_fd: int,
        on_report: Callable[[RecorderHandle, RecorderNews], None],
        on_exit: Callable[[RecorderHandle, int | None], None],
    ) -> RecorderHandle:
        """Start a recorder that reads the feed behind `feed_fd`, which stays the caller's, and wait for its first word.

        That may be a `Failed`, which `on_report` is told like all others. `on_exit` is called exactly once for each
        launch that returned, after the last report. Another recorder with the same config and feed goes on where a dead
        one stopped. Raises LaunchFailed; then `on_exit` is not called.
        """
        handle: RecorderHandle | None = None
        launched = False

        def exited(gone: RecorderHandle, status: int | None) -> None:
            self._recorders.discard(gone)
            if launched:
                on_exit(gone, status)

        try:
            async with asyncio.timeout(self._patience.ready_s):
                handle = await self._fork_recorder(config, feed_fd, on_report, exited)
                await handle.ready()
        except BaseException as error:
            if handle is not None:
                handle.kill()
            if isinstance(error, TimeoutError):
                message = f"recorder {config.recording_id} was not ready in {self._patience.ready_s:g} s"
                raise LaunchFailed(message) from error
            raise
        if handle not in self._recorders:
            # It ended in the same breath: nobody has been told yet.
            asyncio.get_running_loop().call_soon(on_exit, handle, handle.status)
        launched = True
        return handle

    def totals(self) -> MixerTotals:
        """What all mixers, running and ended, have done so far, up to their last heartbeats."""
        return self._tally.totals([handle.last_beat for handle in self._handles])

    async def stop(self, grace_s: float = 2.0) -> None:
        """Stop every mixer, kill those that take longer than `grace_s`, then end their parent.

        Afterwards nothing of mixers is left: no process, no descriptor. Recorders get as long to publish what they
        have; those that take longer go on by themselves. It is not meant to be started again.
        """
        self._stopping = True
        recorders = [handle.stop(grace_s) for handle in self._recorders]
        await asyncio.gather(*(handle.stop(grace_s) for handle in self._handles), *recorders)
        for recorder in list(self._recorders):
            await recorder.abandon()
        await self._forkserver.stop()
        await self._tasks.cancel_all()

    async def _fork(
        self,
        config: MixerConfig,
        on_report: Callable[[MixerHandle, News], None],
        on_exit: Callable[[MixerHandle, int | None], None],
    ) -> MixerHandle:
        async def fork(control: socket.socket, dump_fd: int) -> MixerProcess:
            process = await self._forkserver.fork(config, control, dump_fd)
            # A recorder may begin all the same: what it is to write is in its feed already.
            if self._stopping:
                process.signal(signal.SIGKILL)
                raise LaunchFailed("the server is stopping")
            return process

        process, ours, dump_fd = await _forked("mixer", fork)
        handle = MixerHandle(config.name, process, ours, dump_fd, self._patience, self._tasks, on_report, on_exit)
        self._handles.add(handle)
        self._tally.started += 1
        return handle

    async def _fork_recorder(
        self,
        config: RecorderConfig,
        feed_fd: int,
        on_report: Callable[[RecorderHandle, RecorderNews], None],
        on_exit: Callable[[RecorderHandle, int | None], None],
    ) -> RecorderHandle:
        def fork(control: socket.socket, dump_fd: int) -> Awaitable[MixerProcess]:
            return self._forkserver.fork_recorder(config, control, dump_fd, feed_fd)

        process, ours, dump_fd = await _forked("recorder", fork)
        handle = RecorderHandle(config, process, ours, dump_fd, on_report, on_exit)
        self._recorders.add(handle)
        return handle

    def _forget(self, handle: MixerHandle) -> None:
        self._handles.discard(handle)
        self._tally.fold(handle.last_beat)
        if not handle.stopping:
            self._tally.died += 1


async def _forked(
    name: str, fork: Callable[[socket.socket, int], Awaitable[MixerProcess]]
) -> tuple[MixerProcess, socket.socket, int]:
    """Give a child its end of a control socket and a file for its stack; return it with ours and the file.

    Whatever `fork` raises goes on, with nothing left open.
    """
    with contextlib.ExitStack() as undo:
        ours, theirs = pair()
        undo.callback(ours.close)
        with theirs:
            dump_fd = os.memfd_create(f"{name} stack")
            undo.callback(os.close, dump_fd)
            process = await fork(theirs, dump_fd)
        undo.pop_all()
    return process, ours, dump_fd


def raise_descriptor_limit() -> None:
    """Let this process, and the mixers after it, open as many files as the system allows: a socket is one.

    The usual soft limit of 1024 is there for programs that use `select`, which nothing here does.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
