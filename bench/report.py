"""What a run writes: measured results by name, with when and on what they were measured; and several runs as one.

In JSON: `rows` of the table, `compared.pairs` beside Janus, and each of the rest under its own name. A result that has
an `error` is one that could not be measured. `parts` are the runs; each names what it measured.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.compare import PAIRS, Pair
from bench.rows import ROWS, Row

Report = dict[str, Any]
_ABOUT: Final = frozenset({"machine", "compared"})
_ORDER: Final = [*(row.name for row in ROWS), *(pair.name for pair in PAIRS)]
_PLACES: Final = {name: place for place, name in enumerate(_ORDER)}


class OtherMachineError(Exception):
    """Figures of two machines are not put into one report."""


def begun(machine: dict[str, Any], commit: str, date: str, seconds: float) -> Report:
    """A report with nothing in it yet."""
    part = {"date": date, "commit": commit, "seconds": seconds, "load_before": machine["load_before"], "measured": []}
    return {"date": date, "commit": commit, "machine": machine, "seconds": seconds, "rows": [], "parts": [part]}


def put(report: Report, what: str | Row | Pair, result: dict[str, Any]) -> None:
    """Take a result of the run that goes on, instead of an earlier one of the same name."""
    name = what if isinstance(what, str) else what.name
    if isinstance(what, Row):
        _put_in(report["rows"], {"row": name} | result)
    elif isinstance(what, Pair):
        compared = report.setdefault("compared", {"pairs": []})
        compared["janus"] = result.get("version", compared.get("janus", "of unknown version"))
        _put_in(compared["pairs"], {"row": name} | result)
    else:
        report[name] = result
    for part in report["parts"]:
        part["measured"] = [one for one in part["measured"] if one != name]
    report["parts"][-1]["measured"].append(name)
    report["parts"] = [part for part in report["parts"][:-1] if part["measured"]] + report["parts"][-1:]


def _put_in(results: list[dict[str, Any]], result: dict[str, Any]) -> None:
    results[:] = [one for one in results if one["row"] != result["row"]] + [result]
    results.sort(key=lambda one: _PLACES.get(one["row"], len(_PLACES)))


def named(report: Report) -> dict[str, dict[str, Any]]:
    """Every result, failed ones too, by name."""
    once = {name: value for name, value in report.items() if isinstance(value, dict) and name not in _ABOUT}
    listed = [*report["rows"], *(report.get("compared") or {}).get("pairs", [])]
    return once | {result["row"]: result for result in listed}


def failures(report: Report) -> dict[str, str]:
    """What could not be measured, and why."""
    return {name: result["error"] for name, result in named(report).items() if "error" in result}


def merged(reports: Sequence[Report]) -> Report:
    """Several reports as one; of results of the same name the later one.

    Raises:
        OtherMachineError: they are of different machines.
    """
    whole, *others = (with_parts(report) for report in reports)
    for other in others:
        for key in ("cpu", "cores", "memory_mib"):
            if whole["machine"][key] != other["machine"][key]:
                raise OtherMachineError(f"{key}: {whole['machine'][key]} and {other['machine'][key]}")
        whole = _two(whole, other)
    return whole


def _two(one: Report, other: Report) -> Report:
    again = set(named(other))
    parts = [
        part | {"measured": measured}
        for part in one["parts"]
        if (measured := [name for name in part["measured"] if name not in again])
    ]
    rows = list(one["rows"])
    for result in other["rows"]:
        _put_in(rows, result)
    whole = one | other | {"rows": rows, "parts": [*parts, *other["parts"]]}
    if "compared" in one and "compared" in other:
        pairs = list(one["compared"]["pairs"])
        for result in other["compared"]["pairs"]:
            _put_in(pairs, result)
        whole["compared"] = other["compared"] | {"pairs": pairs}
    return whole


def with_parts(report: Report) -> Report:
    """A report of one run that does not name it yet."""
    if "parts" in report:
        return report
    about = {key: report.get(key, "") for key in ("date", "commit", "seconds")}
    part = about | {"load_before": report["machine"]["load_before"], "measured": list(named(report))}
    return report | {"parts": [part]}


def read(path: Path) -> Report:
    """A report as it was written."""
    report: Report = json.loads(path.read_text())
    return report


def write(report: Report, path: Path) -> None:
    """Write a report, in place of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".part")
    half.write_text(json.dumps(report, indent=2) + "\n")
    half.replace(path)
