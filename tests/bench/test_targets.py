from typing import Any

from bench.__main__ import chosen
from bench.report import named
from bench.targets import TARGETS, findings, lines


def report(**changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "row": "pcmu-all-2000",
        "late_ticks": 0,
        "delivered": 0.9995,
        "cpu_ms_per_participant_s": {"total": 0.351},
        "delay": {"p50_ms": 20.0, "p95_ms": 30.0},
    }
    pair = {"row": "janus-pcmu-all-200", "ratio": 6.0}
    told = {"p99_ms": 51.0}
    failed = {"row": "janus-opus-3-100", "error": "no"}
    return {"rows": [row | changes], "compared": {"pairs": [pair, failed]}, "told": told}


def verdicts(**changes: Any) -> dict[tuple[str, str], str]:
    return {(found.target.row, found.target.what): found.verdict for found in findings(named(report(**changes)))}


def test_what_was_measured_holds_or_does_not() -> None:
    found = verdicts()
    assert found["pcmu-all-2000", "late ticks"] == "held"
    assert found["pcmu-all-2000", "delivered"] == "held"
    assert found["pcmu-all-2000", "CPU a participant and second"] == "missed"
    assert found["janus-pcmu-all-200", "CPU of Janus / CPU of Parley"] == "held"
    assert found["told", "event to receiver, p99"] == "missed"
    assert verdicts(late_ticks=1)["pcmu-all-2000", "late ticks"] == "missed"
    assert verdicts(delivered=0.9989)["pcmu-all-2000", "delivered"] == "missed"


def test_what_was_not_measured_is_not_held() -> None:
    found = verdicts()
    assert found["opus-all-150", "late ticks"] == "not measured"
    assert found["janus-opus-3-100", "CPU of Janus / CPU of Parley"] == "not measured"
    failed = {(f.target.row, f.verdict) for f in findings({"pcmu-all-2000": {"error": "no"}})}
    assert failed == {(target.row, "not measured") for target in TARGETS}


def test_every_claim_is_about_a_row_that_can_be_measured() -> None:
    assert {target.row for target in TARGETS} <= set(chosen(None, quick=False, beside=True).names())


def test_who_did_not_recover_has_missed() -> None:
    row = "opus-3-100-burst300"
    for recovery, verdict in (
        ({"after_s": 2.5, "recovered": True}, "held"),
        ({"after_s": 15.0, "recovered": False}, "missed"),
        (None, "not measured"),
    ):
        found = findings({row: {"recovery": recovery}})
        assert [one.verdict for one in found if one.target.row == row] == [verdict]


def test_recordings_are_held_against_what_is_claimed() -> None:
    found = {
        "tick_change": 0.16,
        "recorded": {"recorder_core": 0.25},
        "stall_p99_change_ms": 1.1,
        "stalled": {"missing_s": 0.0},
    }
    verdicts = [one.verdict for one in findings({"recording-opus": found}) if one.target.row == "recording-opus"]
    assert verdicts == ["missed", "held", "missed", "held"]


def test_only_what_was_measured_is_printed() -> None:
    said = list(lines({"journal": {"at_once": {"events_per_s": 2000.0}}, "told": {"error": "no"}}))
    assert said == ["journal: events logged a second at least 2000: 2000, held"]
