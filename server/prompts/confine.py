"""What a child of this package may use of the machine, set by the child itself before it reads a stranger's bytes.

After `confine` the process can open nothing (no file, no socket, no further memory file) and start nothing. It has
the descriptors it was started with and no others, so that a decoder that is talked into opening a path or a URL
fails to.
"""

import ctypes
import os
import resource
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_NICENESS: Final = 10
"""Mixers have deadlines; we have none that matters to them."""


def confine(*, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Give up, for good, all but what is needed.

    `memory_bytes` bounds the address space: beyond it, allocating fails. Using more than `cpu_s` ends the process by
    SIGXCPU. No file grows beyond `file_bytes`: writing on raises OSError. Raises OSError where the system refuses.
    """
    os.nice(_NICENESS)
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0), (_PR_SET_PDEATHSIG, signal.SIGKILL)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option} was refused")
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for limit, value in limits.items():
        # The second before the hard limit, which would be SIGKILL, is for the default action of SIGXCPU.
        hard = value + 1 if limit == resource.RLIMIT_CPU else value
        resource.setrlimit(limit, (value, hard))
