"""How long this machine stood still: a virtual one may get no processor for a moment, and then nothing is in time."""

import os
import threading
from types import TracebackType

from server import clock

LOOK_S = 0.005


class Stalls:
    """Within `with`: a thread on each processor that only sleeps, and notes how much too late it is woken."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._longest_s = dict.fromkeys(os.sched_getaffinity(0), 0.0)
        self._threads = [threading.Thread(target=self._watch, args=(cpu,)) for cpu in self._longest_s]

    def __enter__(self) -> "Stalls":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of this thread
        slept = clock.monotonic()
        while not self._ended.wait(LOOK_S):
            now = clock.monotonic()
            self._longest_s[cpu] = max(now - slept - LOOK_S, self._longest_s[cpu])
            slept = now

    def longest_ms(self) -> float:
        """The longest moment until now that some processor was not to be had."""
        return max(self._longest_s.values()) * 1000
