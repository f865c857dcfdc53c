"""The mixer's only clock: reading time and sleeping until a deadline.

The loop sleeps for most of each 20 ms and must wake within microseconds of its deadline, or at once when a
command arrives. `ppoll` does both in one call with nanosecond precision: `select.poll` rounds up to a whole
millisecond, and `select.select` refuses descriptors above 1023, which a mixer with many calls may have. What
the time is used for is the loop's business; everything else in the mixer takes time as an argument.
"""

import errno
import os
import threading
import time
from typing import Any, Final

import cffi

_ffi = cffi.FFI()
_ffi.cdef(
    """
    struct pollfd { int fd; short events; short revents; };
    struct timespec { long tv_sec; long tv_nsec; };
    int ppoll(struct pollfd *fds, unsigned long count, const struct timespec *timeout, const void *sigmask);
    int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
    """
)
_libc: Any = _ffi.dlopen(None)

_POLLIN: Final = 0x001
_POLLNVAL: Final = 0x020
_PR_SET_TIMERSLACK: Final = 29
_NS_PER_S: Final = 1_000_000_000
_local: Final = threading.local()


def monotonic_ns() -> int:
    """CLOCK_MONOTONIC in ns: never steps, and is the same in all processes of one machine."""
    return time.monotonic_ns()  # noqa: TID251


def realtime_ns() -> int:
    """Wall clock in ns since 1970; it may step. Only for what others read as a date, like RTCP's NTP time."""
    return time.time_ns()


def wait_until(deadline_ns: int | None, fd: int) -> bool:
    """Sleep until `deadline_ns` (CLOCK_MONOTONIC) or until `fd` is readable, closed by its peer, or broken.

    None waits for `fd` alone. A deadline in the past still looks at `fd` once. A signal doesn't end the wait.
    Returns True if it was `fd`. Raises OSError if `fd` is not an open descriptor.
    """
    waited, left = _mine()
    waited.fd, waited.events = fd, _POLLIN
    while True:
        ready = _libc.ppoll(waited, 1, _time_left(deadline_ns, left), _ffi.NULL)
        if ready >= 0:
            break
        if _ffi.errno != errno.EINTR:
            raise OSError(_ffi.errno, os.strerror(_ffi.errno))
    if waited.revents & _POLLNVAL:
        # Returning True would make the caller spin on a descriptor that can never be read.
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return bool(ready)


def set_timer_slack_ns(slack_ns: int) -> None:
    """Let the kernel wake this thread at most `slack_ns` late (its default is 50 000) to join wake-ups."""
    if _libc.prctl(_PR_SET_TIMERSLACK, slack_ns, 0, 0, 0) != 0:
        raise OSError(_ffi.errno, os.strerror(_ffi.errno))


def _mine() -> tuple[Any, Any]:
    """This thread's `struct pollfd` and `struct timespec`: a mixer waits fifty times a second."""
    try:
        mine: tuple[Any, Any] = _local.structures
    except AttributeError:
        mine = _local.structures = _ffi.new("struct pollfd *"), _ffi.new("struct timespec *")
    return mine


def _time_left(deadline_ns: int | None, left: Any) -> Any:
    if deadline_ns is None:
        return _ffi.NULL
    left.tv_sec, left.tv_nsec = divmod(max(0, deadline_ns - monotonic_ns()), _NS_PER_S)
    return left
