"""What a mixer process asks of the system: to run before others, on certain cores, with its memory kept.

Each is given or refused here, and nothing fails for it: a mixer without any of them works, it is only late more often
where others want the processor. When ticks are due, and what is done about late ones, is the loop's.

A real-time process that never sleeps could keep everything else from running. Three things stand against that: its
priority is the lowest that does what it is for, so that the kernel's own threads come first; RLIMIT_RTTIME makes a
mixer that has computed for a second without a sleep an ordinary one for the rest of its life; and the kernel leaves
others 5 % of each second (sched_rt_runtime_us), without which `auto` does not use it at all.
"""

import contextlib
import os
import resource
import signal
from pathlib import Path
from types import FrameType
from typing import Any, Final

import cffi

from mixer.protocol import LogLine, MixerConfig

PRIORITY: Final = 10
NICENESS: Final = -10
"""For a mixer that is not real-time, or no longer."""
PATIENCE_US: Final = 1_000_000
"""CPU time without a sleep after which a mixer loses its real-time priority: fifty ticks on end were too long."""
LAST_RESORT_US: Final = 8_000_000
"""After so much the kernel kills it. The server does it sooner, with a stack for the log, if it gets to run."""

_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14
_THROTTLE: Final = Path("/proc/sys/kernel/sched_rt_runtime_us")
_STATUS: Final = Path("/proc/self/status")

_ffi = cffi.FFI()
_ffi.cdef("int mlockall(int flags);")
_libc: Any = _ffi.dlopen(None)


class Privileges:
    """What a mixer process has been given; nothing until it claims it."""

    def __init__(self) -> None:
        self.realtime = False
        self.memory_locked = False
        self.refused: list[str] = []
        """What the settings ask for and the system does not give, with the reason."""
        self._news: list[LogLine] = []

    def claim(self, config: MixerConfig) -> None:
        """Ask for what `config` says, for this thread, which is the process's only one."""
        self._confine(config.cores)
        # Usually refused unless the server is root; the mixer is then as nice as the server.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
        if config.scheduling == "realtime" or (config.scheduling == "auto" and _throttled()):
            self._become_realtime(required=config.scheduling == "realtime")
        if config.lock_memory:
            self._lock_memory()
        self._news.append(LogLine("warning" if self.refused else "info", "mixer started", self._in_force()))

    def take_news(self) -> list[LogLine]:
        """What there is to log since the last time: first what is in force, later that real time was forfeited."""
        news, self._news = self._news, []
        return news

    def _in_force(self) -> dict[str, str | int | float | bool | None]:
        return {
            "scheduling": "realtime" if self.realtime else "normal",
            "priority": PRIORITY if self.realtime else None,
            "niceness": os.getpriority(os.PRIO_PROCESS, 0),
            "cores": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
            "memory_locked": self.memory_locked,
            "refused": "; ".join(self.refused) or None,
        }

    def _confine(self, cores: tuple[int, ...]) -> None:
        """All of the cores to each mixer: bound to one, it would wait for its turn there while others are idle."""
        if cores:
            try:
                os.sched_setaffinity(0, cores)
            except OSError as error:
                self.refused.append(f"cores: {error.strerror}")

    def _become_realtime(self, *, required: bool) -> None:
        try:
            # The guard first: no moment of real time without it.
            _, hard_us = resource.getrlimit(resource.RLIMIT_RTTIME)
            last_us = LAST_RESORT_US if hard_us == resource.RLIM_INFINITY else min(hard_us, LAST_RESORT_US)
            signal.signal(signal.SIGXCPU, self._forfeit_realtime)
            resource.setrlimit(resource.RLIMIT_RTTIME, (min(PATIENCE_US, last_us), last_us))
            os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
        except OSError as error:
            if required:
                self.refused.append(f"realtime: {error.strerror}")
            return
        self.realtime = True

    def _forfeit_realtime(self, _signal: int, _frame: FrameType | None) -> None:
        # RESET_ON_FORK stays: only the privileged may take it back.
        os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        if self.realtime:
            self.realtime = False
            told = {"reason": f"no sleep in {PATIENCE_US / 1e6:g} s of computing", **self._in_force()}
            self._news.append(LogLine("warning", "mixer is no longer real-time", told))

    def _lock_memory(self) -> None:
        """Keep what is in memory now, and what will be once it is used.

        Not what is never used (ONFAULT): that would copy all that the mixers share, 200 MB for each.
        """
        soft_bytes, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        if soft_bytes != resource.RLIM_INFINITY and not _may_lock_all():
            # It would work now, and an allocation would fail later, in the middle of a conference.
            self.refused.append("lock_memory: RLIMIT_MEMLOCK is not unlimited")
        elif _libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
            self.refused.append(f"lock_memory: {os.strerror(_ffi.errno)}")
        else:
            self.memory_locked = True


def _throttled() -> bool:
    """Whether the kernel keeps some time for processes that are not real-time."""
    try:
        return int(_THROTTLE.read_text()) >= 0
    except (OSError, ValueError):
        return False


def _may_lock_all() -> bool:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_IPC_LOCK & 1)
    return False
