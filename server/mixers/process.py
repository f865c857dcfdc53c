"""A mixer or a recorder as an operating system process: signals to it, and how it ended.

The zygote is its parent and reports its exit status; a pidfd tells its end at once, also when the zygote is
dead. What the end means is decided by `handle`.
"""

import asyncio
import contextlib
import contextvars
import os
import signal
from typing import Final

STATUS_WAIT_S: Final = 1.0
"""How long the exit status may come after the end. Without it, a hung zygote would hide deaths."""


class MixerProcess:
    """Watches the process behind `pidfd`, which it owns. Create it in a running event loop."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._pidfd = pidfd
        self._ended = False
        self._orphan = False
        self._timer: asyncio.TimerHandle | None = None
        self.pid: Final = pid
        self.exited: Final[asyncio.Future[int | None]] = self._loop.create_future()
        """Exit code, or minus a signal number; None if nobody could tell."""
        contextvars.Context().run(self._loop.add_reader, pidfd, self._on_end)  # the end belongs to no request

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process and no other; a dead one ignores it."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def reaped(self, status: int) -> None:
        """The zygote says how it ended."""
        self._resolve(status)

    def orphaned(self) -> None:
        """The zygote is gone: no status will come."""
        self._orphan = True
        if self._ended:
            self._resolve(None)

    def abandon(self) -> None:
        """Watch it no more; what becomes of it nobody will know."""
        self._resolve(None)

    def _on_end(self) -> None:
        self._ended = True
        self._loop.remove_reader(self._pidfd)
        if self._orphan:
            self._resolve(None)
        else:
            self._timer = self._loop.call_later(STATUS_WAIT_S, self._resolve, None)

    def _resolve(self, status: int | None) -> None:
        if self.exited.done():
            return
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self.exited.set_result(status)
