from typing import Any

import pytest

from server.loadtest.load import Load
from server.loadtest.verdict import Limits, verdict

LOAD = Load("opus", 100, 3)
GOOD: dict[str, Any] = {
    "join_ms": {"p50": 20.0, "p95": 40.0, "max": 60.0},
    "delivered": 0.9995,
    "packets_received": 9995,
    "packets_expected": 10_000,
    "participants_unserved": 0,
    "delay": {"p50_ms": 25.0, "p95_ms": 35.0, "heard": 19, "sent": 20},
    "mixer": {"ticks": 1000, "late_ticks": 1, "work_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0}},
    "generator_cpu": 0.2,
    "generator_late_ms": 1.0,
    "packets_refused": 0,
    "packets_dropped_here": 0,
}


def failed(load: Load = LOAD, limits: Limits | None = None, **changes: Any) -> list[str]:
    return [check.name for check in verdict(load, GOOD | changes, limits or Limits()) if not check.held]


def test_a_good_test_passes_and_each_line_says_what_was_seen() -> None:
    assert failed() == []
    text = "\n".join(check.text for check in verdict(LOAD, GOOD, Limits()))
    for words in ("p95 40 ms", "99.950 % of 10000", "19 of 20 bursts", "1 of 1000 late", "20 % of a core"):
        assert words in text


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("joins", {"join_ms": {"p50": 20.0, "p95": 1001.0, "max": 2000.0}}),
        ("delivered", {"packets_received": 9989}),
        ("delivered", {"participants_unserved": 1}),
        ("added delay", {"delay": GOOD["delay"] | {"p95_ms": 100.5}}),
        ("added delay", {"delay": GOOD["delay"] | {"heard": 10}}),
        ("added delay", {"delay": {"p50_ms": None, "p95_ms": None, "heard": 0, "sent": 20}}),
        ("mixer's ticks", {"mixer": GOOD["mixer"] | {"late_ticks": 2}}),
        ("mixer's ticks", {"mixer": GOOD["mixer"] | {"ticks": 0, "late_ticks": 0}}),
        ("load generator", {"generator_cpu": 0.97}),
        ("load generator", {"generator_late_ms": 25.0}),
        ("load generator", {"packets_dropped_here": 1}),
        ("load generator", {"packets_refused": 1}),
    ],
)
def test_whatever_is_not_good_enough_fails_alone(name: str, changes: dict[str, Any]) -> None:
    assert failed(**changes) == [name]


def test_limits_are_the_users() -> None:
    strict = Limits(delivered=0.9999, delay_p95_ms=30, late_ticks=0, join_p95_ms=30)
    assert failed(limits=strict) == ["joins", "delivered", "added delay", "mixer's ticks"]


def test_without_talkers_there_is_no_delay_to_judge() -> None:
    silent = {"delay": {"p50_ms": None, "p95_ms": None, "heard": 0, "sent": 0}}
    assert failed(Load("opus", 100, 0), **silent) == []
