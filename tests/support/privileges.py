"""What this machine lets tests do, and what a process has been given."""

import os
import resource
from pathlib import Path

import pytest

CAP_IPC_LOCK = 14
CAP_SYS_RESOURCE = 24


def policy(pid: int) -> int:
    """A process's scheduling policy, such as SCHED_OTHER."""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK


def capable(number: int) -> bool:
    """Whether this process has a capability, by its number in capabilities(7)."""
    status = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("CapEff"))
    return bool(int(line.split()[1], 16) >> number & 1)


def may_have(limit: int, value: int) -> bool:
    """Whether a process of ours may be given a hard limit: above its own only with CAP_SYS_RESOURCE."""
    hard = resource.getrlimit(limit)[1]
    return hard == resource.RLIM_INFINITY or 0 <= value <= hard or capable(CAP_SYS_RESOURCE)


def _may_be_realtime() -> bool:
    if resource.getrlimit(resource.RLIMIT_RTPRIO)[0] >= 10:
        return True
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
needs_realtime = pytest.mark.skipif(not _may_be_realtime(), reason="real-time scheduling is not allowed here")
