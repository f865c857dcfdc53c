"""The published page is what the published results make of it."""

import json
from typing import Any

from bench.page import PAGE, RESULTS, page

REPORT: dict[str, Any] = json.loads(RESULTS.read_text())


def test_the_page_is_made_of_the_results() -> None:
    assert PAGE.read_text() == page(REPORT), "make it anew: python -m bench.page"


def test_every_row_is_on_the_page_and_says_when_and_on_what() -> None:
    text = page(REPORT)
    for row in REPORT["rows"]:
        assert f"| `{row['row']}` |" in text
    assert REPORT["commit"] in text and REPORT["date"] in text and REPORT["machine"]["cpu"] in text


def test_rows_that_failed_are_told_and_not_shown_as_figures() -> None:
    failed = {"row": "opus-all-150", "error": "ServerError: POST /v1: 503\n    log"}
    text = page(REPORT | {"rows": [failed]})
    assert "* opus-all-150: ServerError: POST /v1: 503\n" in text
    assert "* told: OverdueError: late\n" in page(REPORT | {"told": {"error": "OverdueError: late"}})
    assert "| `opus-all-150` | late ticks at most 0 | - | not measured |" in text


def test_without_a_comparison_there_is_none_on_the_page() -> None:
    alone = {key: value for key, value in REPORT.items() if key != "compared"}
    assert "## Beside Janus" not in page(alone)
    assert "## Claims" in page(alone)


def row(name: str, cpu_ms: float, **more: Any) -> dict[str, Any]:
    spread = {"p50": 1.0, "p99": 2.0, "max": 3.0}
    return {
        "row": name,
        "participants": 100,
        "cpu_ms_per_participant_s": {"total": cpu_ms},
        "work_ms": spread,
        "lateness_ms": spread,
        "late_ticks": 0,
        "ticks": 500,
        "delivered": 1.0,
        "delay": {"p50_ms": 33.0, "p95_ms": 40.0},
        "participants_unserved": 0,
        "packets_dropped_here": 0,
        "packets_refused": 0,
        "generator_cpu": 0.1,
        **more,
    }


def test_each_saving_is_told_with_its_gain() -> None:
    text = page(REPORT | {"rows": [row("opus-3-100", 0.5), row("opus-3-100-unshared", 6.0)]})
    assert "| `PARLEY_MIXER_SHARE_ENCODES=false` | `opus-3-100` |" in text
    assert "| 0.500 (5 %), 0 of 500 late | 6.000 (60 %), 0 of 500 late | **12.0** |" in text
    assert "| `opus-3-100-unshared` |" not in text
    assert "## What each saving gains" not in page(REPORT | {"rows": [row("opus-3-100", 0.5)]})


def test_recovery_is_told() -> None:
    found = {"baseline_ms": 30.0, "holds": 2, "worst_ms": 240.0, "after_s": 3.25, "recovered": True}
    text = page(REPORT | {"rows": [row("opus-3-100-burst300", 0.5, recovery=found)]})
    assert "30 ms before, up to 240 ms more afterwards, back within 20 ms of before within 3.2 s (2 times)" in text
    assert "| `opus-3-100-burst300` | recovered from 300 ms of delay after at most 10 s | 3.250 s | held |" in text


def test_events_and_recordings_have_their_place() -> None:
    spread = {"p50": 1.0, "p99": 2.0, "max": 3.0}
    way = {"work_ms": spread, "late_ticks": 0, "ticks": 500, "mixer_core": 0.1, "recorder_core": 0.2}
    recorded = {"unrecorded": way, "recorded": way, "stalled": way | {"missing_s": 0.0}, "stall_p99_change_ms": 0.0}
    told = {"p50_ms": 8.0, "p99_ms": 20.0, "max_ms": 31.0, "count": 900}
    text = page(REPORT | {"told": told, "recording-opus": recorded | {"tick_change": 0.031}})
    assert "* Event to receiver, real server: p50 8.0, p99 20.0, max 31.0 ms of 900.\n" in text
    assert "| `told` | event to receiver, p99 at most 50 ms | 20 ms | held |" in text
    assert "| recorded | 1.0 / 2.0 / 3.0 | 0 of 500 | 10.0 % | 20.0 % | +3.1 % |" in text


def test_a_janus_at_its_limit_is_marked() -> None:
    side = {"coding": "G.711", "cpu_ms_per_participant_s": 1.0, "core": 0.1, "delivered": 1.0, "at_limit": False}
    side |= {"mouth_to_ear_p50_ms": 40.0}
    pairs = [
        {"row": "janus-a", "parley": side, "janus": side, "ratio": 9.0},
        {"row": "janus-b", "parley": side, "janus": side | {"at_limit": True}, "ratio": 33.0},
    ]
    text = page(REPORT | {"compared": {"janus": "1.1.2", "pairs": pairs}})
    assert "| 40 | **9.0** |" in text
    assert "| 40 | > **33.0** |" in text
