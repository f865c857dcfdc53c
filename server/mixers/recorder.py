"""One recorder as the server knows it: notes to it, news from it, and its end, which comes exactly once.

Unlike a mixer it is not watched for life signs: a disk may stall it for as long as the feed has room, and publishing a
long recording takes long. What follows from its news and its end is for others.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

import structlog

from recording.catalog import (
    Failed,
    Finish,
    Finished,
    MalformedError,
    Note,
    Progress,
    RecorderConfig,
    Started,
    dump,
    load_report,
)
from server.mixers.channel import Channel, close_all
from server.mixers.errors import LaunchFailed
from server.mixers.process import MixerProcess

RecorderNews = Progress | Failed | Finished
"""What a recorder says that the rest of the server wants to know."""

DUMP_BYTES: Final = 64 << 10


class RecorderHandle:
    """Made by `Mixers.launch_recorder`. What it is told is never answered; after its end it is told to nobody.

    Owns `process`, `control` and `dump_fd`. `on_report` is told news; `on_exit` is called once, after the last of them,
    when the process has ended for whatever reason, with its exit code, minus a signal number, or None.
    """

    def __init__(
        self,
        config: RecorderConfig,
        process: MixerProcess,
        control: socket.socket,
        dump_fd: int,
        on_report: Callable[["RecorderHandle", RecorderNews], None],
        on_exit: Callable[["RecorderHandle", int | None], None],
    ) -> None:
        self._process = process
        self._dump_fd = dump_fd
        self._on_report, self._on_exit = on_report, on_exit
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._log = structlog.get_logger().bind(recording_id=config.recording_id, recorder_pid=process.pid)
        self.config: Final = config
        self.status: int | None = None
        """How it ended, once it has."""
        self.stopping = False
        """It was told to end for a shutdown."""
        self.finished: Finished | None = None
        """Its last word, once it has said it."""
        self._channel = Channel(control, self._on_message, lambda: None)
        process.exited.add_done_callback(self._on_exited)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """The process runs and has not said its last word."""
        return self.finished is None and not self._process.exited.done()

    async def ready(self) -> None:
        """Wait for its first word. Raises LaunchFailed if it ends before."""
        await self._ready

    async def ended(self) -> None:
        """Wait until the process has ended and `on_exit` was called."""
        await self._ended.wait()

    def note(self, note: Note) -> None:
        """Tell it something about a call that the manifest is to tell."""
        self._channel.send(dump(note))

    def finish(self, reason: str) -> None:
        """Let it end and publish. It waits a moment for the mixer to close the feed, which is to be done too."""
        self._channel.send(dump(Finish(reason)))

    async def stop(self, grace_s: float) -> None:
        """Let it end for a shutdown, and wait for that, but no longer than `grace_s`: then it goes on by itself."""
        self.stopping = True
        self.finish("shutdown")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._ended.wait()

    def kill(self) -> None:
        """End it now. What it has captured stays where it is."""
        self._process.signal(signal.SIGKILL)

    async def abandon(self) -> None:
        """Let it go on by itself, if it runs: `on_exit` is told now, and nobody will know how it ends."""
        self._process.abandon()
        await self._ended.wait()

    def _on_message(self, data: bytes, fds: list[int]) -> None:
        close_all(fds)  # no report carries any
        try:
            report = load_report(data)
        except MalformedError as error:
            self._log.error("wrong report", reason=str(error))
            return
        if not self._ready.done():
            self._ready.set_result(None)
        match report:
            case Started():
                return
            case Finished():
                self.finished = report
            case Failed():
                self._log.error("recording failed", reason=report.reason, detail=report.detail, kept_ms=report.kept_ms)
        self._tell(self._on_report, report)

    def _on_exited(self, exited: asyncio.Future[int | None]) -> None:
        self._channel.read_pending()
        self._channel.close()
        self.status = exited.result()
        if not self._ready.done():
            self._ready.set_exception(LaunchFailed("the recorder ended at once"))
        if self.finished is None and self.stopping and self.status is None:
            self._log.warning("a recorder goes on by itself")
        elif self.finished is None:
            stack = os.pread(self._dump_fd, DUMP_BYTES, 0).decode(errors="replace")
            self._log.error("recorder died", status=self.status, stack=stack)
        os.close(self._dump_fd)
        self._tell(self._on_exit, self.status)
        self._ended.set()

    def _tell(self, listener: Callable[["RecorderHandle", Any], None], what: RecorderNews | int | None) -> None:
        """Call a listener whose failure is its own, and not that of the news after it."""
        try:
            listener(self, what)
        except Exception:
            self._log.exception("a listener failed", news=repr(what))
