from collections.abc import Callable

import pytest

from server.loadtest.load import HOLD_EVERY_S, Load
from server.loadtest.probe import Echo
from server.loadtest.recovery import Recovery, recovery

LOAD = Load("pcmu", 10, 10, hold_ms=300)
OPENED_NS = 77_000_000_000


def heard(more_ms: Callable[[float], float], seconds: float) -> Recovery | None:
    """Two talkers by turns, a burst each half second, of whom one's takes 10 ms longer than the other's."""
    echoes = []
    for number in range(int(2 * seconds)):
        at_s = number / 2
        took_ms = 30 + 10 * (number % 2) + more_ms(at_s)
        echoes.append(Echo(OPENED_NS + int(at_s * 1e9), number % 2, took_ms))
    return recovery(echoes, OPENED_NS, seconds, LOAD)


def test_who_is_not_late_afterwards_is_back_at_once() -> None:
    found = heard(lambda at_s: 0.0, 25)
    assert found == Recovery(35.0, 1, 0.0, 0.0, recovered=True)


def test_a_delay_that_shrinks_is_back_when_it_is_near() -> None:
    found = heard(lambda at_s: max(0.0, 300 - 100 * (at_s - 10.3)) if at_s > 10.3 else 0.0, 25)
    assert found is not None and found.recovered
    # 20 ms are left at 2.8 s; it is the third of five bursts that decides.
    assert found.after_s == pytest.approx(2.2)
    assert found.worst_ms == pytest.approx(180)


def test_one_late_burst_is_not_the_buffers() -> None:
    found = heard(lambda at_s: 200.0 if at_s == 15 else 0.0, 25)
    assert found is not None and (found.after_s, found.worst_ms) == (0.0, 0.0)


def test_a_delay_that_stays_is_never_back() -> None:
    found = heard(lambda at_s: 40.0 if at_s > 10 else 0.0, 25)
    assert found is not None and (found.recovered, found.after_s) == (False, 15.0)


def test_of_several_times_the_longest_counts() -> None:
    second_s = 10.3 + HOLD_EVERY_S
    found = heard(lambda at_s: 100.0 if second_s < at_s < second_s + 6 else 0.0, 50)
    assert found is not None and (found.holds, found.recovered) == (2, True)
    assert 4 < found.after_s < 7


def test_a_window_without_a_time_that_can_be_watched_finds_nothing() -> None:
    assert heard(lambda at_s: 0.0, 24) is None
    assert recovery([], OPENED_NS, 25, LOAD) is None
