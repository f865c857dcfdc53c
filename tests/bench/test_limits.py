import signal
import time
from typing import Any, cast

import pytest

from bench.limits import OverdueError, attempt, limit_s, within
from bench.target import Server, ServerError


class Restarting:
    def __init__(self, fails: bool = False) -> None:
        self.restarts = 0
        self._fails = fails

    def restart(self) -> None:
        self.restarts += 1
        if self._fails:
            raise ServerError("it does not start")


def no_answer() -> dict[str, Any]:
    raise ServerError("too slow")


def test_what_is_done_in_time_is_a_result() -> None:
    server = Restarting()
    assert attempt(cast(Server, server), 5, lambda: {"figure": 1}) == {"figure": 1}
    assert server.restarts == 0


@pytest.mark.parametrize("fails", [False, True])
def test_what_fails_says_so_and_leaves_nothing_to_the_next(fails: bool) -> None:
    server = Restarting(fails)
    assert attempt(cast(Server, server), 5, no_answer) == {"error": "ServerError: too slow"}
    assert server.restarts == 1


def test_what_takes_too_long_is_ended() -> None:
    server = Restarting()

    def hang() -> dict[str, Any]:
        time.sleep(60)
        return {}

    assert attempt(cast(Server, server), 0.05, hang) == {"error": "OverdueError: not done after 0.05 s"}
    assert server.restarts == 1


def test_a_limit_ends_with_what_it_is_for() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with within(60):
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is before
    with pytest.raises(OverdueError), within(0.01):
        time.sleep(60)
    assert limit_s(60) > 600
