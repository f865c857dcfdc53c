"""A moment in which no thread is let run is noted, as long as it was."""

import time

from server import clock
from tests.support.stalls import Stalls


def test_the_longest_moment_of_standing_still_is_noted() -> None:
    with Stalls() as stalls:
        time.sleep(0.05)
        began = clock.monotonic()
        sum(range(10_000_000))  # one call, in which no other thread of the interpreter has a turn
        stood_ms = (clock.monotonic() - began) * 1000
        time.sleep(0.05)
        assert stalls.longest_ms() > 0.8 * stood_ms
