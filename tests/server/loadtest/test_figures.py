from typing import Any

import pytest

from server.loadtest.figures import Spread, join_spread_ms, mixer_figures


def stats(ticks: int, late: int, p50: float, worst: float, calls: dict[str, int]) -> dict[str, Any]:
    spread = {"p50": p50, "p99": worst, "max": worst + 1}
    mixer = {"ticks": ticks, "late_ticks": late, "work_ms": spread, "lateness_ms": spread}
    return {
        "mixer": mixer,
        "calls": [{"call_id": key, "lost": n, "late": n, "concealed": n} for key, n in calls.items()],
    }


def test_a_window_is_what_the_counters_grew_by() -> None:
    before = [stats(100, 7, 1.0, 2.0, {"a": 5, "b": 1})]
    after = [stats(600, 9, 1.5, 3.0, {"a": 8, "b": 1})]
    found = mixer_figures(before, after)
    assert (found.ticks, found.late_ticks, found.lost, found.concealed) == (500, 2, 3, 3)
    assert found.work_ms == Spread(1.5, 3.0, 4.0)


def test_of_several_conferences_the_worst_tells_and_counts_add_up() -> None:
    before = [stats(0, 0, 1, 1, {}), stats(0, 0, 1, 1, {})]
    after = [stats(50, 1, 1.0, 9.0, {"a": 2}), stats(50, 2, 3.0, 4.0, {"b": 3})]
    found = mixer_figures(before, after)
    assert (found.ticks, found.late_ticks, found.late) == (100, 3, 5)
    assert found.lateness_ms == Spread(2.0, 9.0, 10.0)


def test_packets_of_others_are_not_ours() -> None:
    found = mixer_figures([stats(0, 0, 1, 1, {"a": 1})], [stats(1, 0, 1, 1, {"a": 4, "theirs": 90})], {"a"})
    assert found.lost == 3


def test_joins_are_spread() -> None:
    spread = join_spread_ms([number / 1000 for number in range(1, 102)])
    assert spread == {"p50": 51, "p95": pytest.approx(96), "max": 101}
    assert join_spread_ms([0.5]) == {"p50": 500, "p95": 500, "max": 500}
