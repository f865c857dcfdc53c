from typing import Any

from bench.__main__ import chosen
from bench.targets import TARGETS, findings


def report(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "row": "pcmu-all-2000",
        "late_ticks": 0,
        "delivered": 0.9995,
        "cpu_ms_per_participant_s": {"total": 0.351},
        "delay": {"p50_ms": 20.0, "p95_ms": 30.0},
    }
    pair = {"row": "janus-pcmu-all-200", "ratio": 6.0}
    return {"rows": [row | changes], "compared": {"pairs": [pair, {"row": "janus-opus-3-100", "error": "no"}]}}


def verdicts(**changes: Any) -> dict[tuple[str, str], str]:
    return {(found.target.row, found.target.what): found.verdict for found in findings(report(**changes))}


def test_what_was_measured_holds_or_does_not() -> None:
    found = verdicts()
    assert found["pcmu-all-2000", "late ticks"] == "held"
    assert found["pcmu-all-2000", "delivered"] == "held"
    assert found["pcmu-all-2000", "CPU a participant and second"] == "missed"
    assert found["janus-pcmu-all-200", "CPU of Janus / CPU of Parley"] == "held"
    assert verdicts(late_ticks=1)["pcmu-all-2000", "late ticks"] == "missed"
    assert verdicts(delivered=0.9989)["pcmu-all-2000", "delivered"] == "missed"


def test_what_was_not_measured_is_not_held() -> None:
    found = verdicts()
    assert found["opus-all-150", "late ticks"] == "not measured"
    assert found["janus-opus-3-100", "CPU of Janus / CPU of Parley"] == "not measured"
    failed = {(f.target.row, f.verdict) for f in findings({"rows": [{"row": "pcmu-all-2000", "error": "no"}]})}
    assert failed == {(target.row, "not measured") for target in TARGETS}


def test_every_claim_is_about_a_row_that_can_be_measured() -> None:
    assert {target.row for target in TARGETS} <= set(chosen(None, quick=False, beside=True).names())
