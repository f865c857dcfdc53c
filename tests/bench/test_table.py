import json
from pathlib import Path
from typing import Any

from bench.__main__ import chosen
from bench.rows import ROWS
from bench.table import remarks, table, write

RESULT: dict[str, Any] = {
    "row": "pcmu-all-10",
    "cpu_ms_per_participant_s": {"server": 0.01, "mixers": 0.25, "total": 0.26},
    "work_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0},
    "lateness_ms": {"p50": 0.05, "p99": 0.1, "max": 0.2},
    "late_ticks": 0,
    "ticks": 500,
    "delivered": 0.99987,
    "delay": {"p50_ms": 30.0, "p95_ms": None, "heard": 49, "sent": 50},
    "participants_unserved": 0,
    "packets_dropped_here": 0,
    "packets_refused": 0,
    "generator_cpu": 0.4,
}


def test_a_row_shows_its_figures_under_their_headings() -> None:
    first, second, rule, row = table([RESULT]).splitlines()
    for cell in ("0.260 = 0.010 + 0.250", "1.00/2.00/3.00", "0.05/0.10/0.20", "0/500", "99.987", "30.00/-", "49/50"):
        at = row.index(cell)
        assert rule[at] == "-"
        assert at == 0 or rule[at - 1] == " "
    assert first.startswith("row")
    assert "server + mixers" in second


def test_a_failed_row_says_why_and_spoils_no_other() -> None:
    failed = {"row": "opus-all-100", "error": "ServerError: POST /v1: 503\n  log"}
    lines = table([RESULT, failed]).splitlines()
    assert lines[-1] == "opus-all-100  failed: ServerError: POST /v1: 503"
    assert remarks(failed) == ["opus-all-100: ServerError: POST /v1: 503\n  log"]
    assert table([failed]).splitlines()[-1].startswith("opus-all-100")


def test_trouble_of_the_load_generator_is_told() -> None:
    assert remarks(RESULT) == []
    spoilt = RESULT | {"packets_dropped_here": 3, "participants_unserved": 1, "generator_cpu": 0.97}
    said = "\n".join(remarks(spoilt))
    assert "3 packets were lost in the load generator's own sockets" in said
    assert "1 participants were sent nothing" in said
    assert "97 % of its core" in said


def test_a_report_is_written_under_its_date_and_commit(tmp_path: Path) -> None:
    path = write({"commit": "abc", "rows": [RESULT]}, tmp_path / "new", "2026-01-02")
    assert path.name == "2026-01-02-abc.json"
    assert json.loads(path.read_text())["rows"] == [RESULT]


def test_rows_are_chosen_by_name() -> None:
    assert chosen(None, quick=False) == list(ROWS)
    assert [row.name for row in chosen("opus-3-*, pcmu-all-10", quick=True)] == [
        "pcmu-all-10",
        "opus-3-10",
        "opus-3-100",
    ]
    assert [row.name for row in chosen("*-all-1000", quick=False)] == ["pcmu-all-1000"]
    assert chosen("nothing-like-this", quick=False) == []


def test_names_of_rows_are_unique_and_talkers_are_participants() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(1 <= row.load.talkers <= row.load.participants for row in ROWS)
