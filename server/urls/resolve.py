"""Names to addresses, by the system's resolver, off the event loop.

Decides only how the system is asked. Which answers are acceptable, and that each is used as it came, is decided in
`dial`.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""Takes an ASCII host name, returns its addresses, best first; raises OSError if there is none."""

# A name server that does not answer holds a thread for seconds. They are our own, so that it holds nobody else's.
_THREADS: Final = 32


class SystemResolver:
    """Asks getaddrinfo, and with it /etc/hosts, DNS and whatever else this machine is set up for."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`, best first (RFC 6724)."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)

    def close(self) -> None:
        """Take no more questions; those in progress are left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        # Labels that the standard library's own IDNA does not take.
        raise OSError(f"not a name that can be resolved: {error}") from error
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers))
