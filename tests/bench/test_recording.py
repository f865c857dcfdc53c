"""What is said of a measured recording."""

from typing import Any

from bench.recording import MEASURED, describe


def way(work_ms: float, p99_ms: float = 4.0, recorder: float = 0.0, missing_s: float = 0.0) -> dict[str, Any]:
    spread = {"p50": work_ms, "p99": p99_ms, "max": 9.0}
    counts = {"late_ticks": 0, "ticks": 500, "mixer_core": work_ms / 20, "recorder_mib": 6.0, "missing_s": missing_s}
    return {"work_ms": spread, "lateness_ms": spread, "recorder_core": recorder, **counts}


def result(change: float, **stalled: float) -> dict[str, Any]:
    ways = {"unrecorded": way(2.0), "recorded": way(2.0 + 2 * change, recorder=0.1), "stalled": way(2.0, **stalled)}
    shares = {"tick_change": change, "stall_p99_change_ms": stalled.get("p99_ms", 4.0) - 4}
    return {"participants": 100, "talking": 3, **ways, **shares}


def test_all_ways_are_told_and_nothing_of_what_was_not_measured() -> None:
    said = "\n".join(describe({"recording-opus": result(0.1)}))
    assert "3 of 100 talk" in said
    assert "mixer 11.0 %, recorder 10.0 % of a core, 6.0 MiB" in said
    assert "a tick costs +10.0 %" in said
    assert "recording-pcmu" not in said
    assert list(describe({})) == []
    assert list(MEASURED) == ["recording-pcmu", "recording-opus"]
