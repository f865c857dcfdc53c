from pathlib import Path
from typing import Any

import pytest

from bench.compare import PAIRS
from bench.report import OtherMachineError, begun, failures, merged, named, put, read, write
from bench.rows import ROWS

MACHINE = {"cpu": "a", "cores": 2, "memory_mib": 4096, "load_before": "0.10"}
FIRST, SECOND = ROWS[:2]


def report(commit: str, **changes: Any) -> dict[str, Any]:
    return begun(MACHINE | changes, commit, "2026-01-02", 10.0)


def test_results_are_found_by_name_in_the_order_of_rows() -> None:
    found = report("one")
    put(found, SECOND, {"figure": 2})
    put(found, FIRST, {"error": "no"})
    put(found, PAIRS[0], {"version": "1.1.2", "ratio": 8.0})
    put(found, "told", {"error": "late"})
    assert [row["row"] for row in found["rows"]] == [FIRST.name, SECOND.name]
    assert found["compared"]["janus"] == "1.1.2"
    assert named(found).keys() == {FIRST.name, SECOND.name, PAIRS[0].name, "told"}
    assert failures(found) == {FIRST.name: "no", "told": "late"}
    assert found["parts"][0]["measured"] == [SECOND.name, FIRST.name, PAIRS[0].name, "told"]


def test_a_later_run_replaces_what_it_measured_again_and_nothing_else() -> None:
    one, other = report("one"), report("two")
    for row in (FIRST, SECOND):
        put(one, row, {"figure": 1})
    put(one, "told", {"figure": 1})
    put(one, PAIRS[0], {"ratio": 1.0})
    put(other, SECOND, {"figure": 2})
    put(other, PAIRS[1], {"ratio": 2.0})
    whole = merged([one, other])
    assert [row["figure"] for row in whole["rows"]] == [1, 2]
    assert [pair["ratio"] for pair in whole["compared"]["pairs"]] == [1.0, 2.0]
    assert whole["told"] == {"figure": 1}
    assert [(part["commit"], part["measured"]) for part in whole["parts"]] == [
        ("one", [FIRST.name, "told", PAIRS[0].name]),
        ("two", [SECOND.name, PAIRS[1].name]),
    ]
    assert whole["commit"] == "two"
    assert len(one["rows"]) == 2 and one["rows"][1]["figure"] == 1


def test_a_run_of_which_nothing_is_left_is_not_named() -> None:
    one, other = report("one"), report("two")
    put(one, FIRST, {"figure": 1})
    put(other, FIRST, {"figure": 2})
    assert [part["commit"] for part in merged([one, other])["parts"]] == ["two"]


def test_reports_of_two_machines_stay_two() -> None:
    with pytest.raises(OtherMachineError, match="cpu: a and b"):
        merged([report("one"), report("one", cpu="b")])


def test_a_report_without_parts_is_one_part() -> None:
    old = {"commit": "old", "date": "", "seconds": 5.0, "machine": MACHINE, "rows": [{"row": FIRST.name}], "idle": {}}
    (part,) = merged([old])["parts"]
    assert (part["commit"], part["measured"]) == ("old", ["idle", FIRST.name])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = report("one")
    put(found, FIRST, {"figure": 1})
    path = tmp_path / "new" / "results.json"
    write(found, path)
    assert read(path) == found
    assert list(path.parent.iterdir()) == [path]
