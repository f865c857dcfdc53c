"""`python -m bench`: measure the real server under load, print a table, write JSON."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from bench import janus, machine, recording, rows, table, waiting, webhooks
from bench.compare import PAIRS, Pair, compare
from bench.target import Server, ServerError
from server.caller.errors import CallerError
from server.loadtest.process import GeneratorError

SETTLE_S: Final = 4.0
"""A server that has just started composes its music in the background, on the core that is to be measured."""
RESULTS: Final = Path(__file__).resolve().parent / "results"
_ONCE: Final[dict[str, Callable[[Server, float], dict[str, Any]]]] = {
    "start": lambda server, seconds: dict(rows.measure_starts(server)),
    "idle": lambda server, seconds: dict(rows.measure_idle(server)),
    "waiting": waiting.measure_waiting,
    **webhooks.MEASURED,
    **recording.MEASURED,
}
"""What is measured besides the rows of the table."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long each row is measured (default 10, quick 3)")
    parser.add_argument("--rows", help="only rows of these names, comma-separated; * and ? as in a shell")
    parser.add_argument("--quick", action="store_true", help="only rows of up to 100 participants, 3 s each")
    parser.add_argument("--compare", choices=["janus"], help="measure Janus' AudioBridge beside, if it is installed")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args()
    options.seconds = options.seconds or (3.0 if options.quick else 10.0)
    if options.seconds < 1:
        parser.error("--seconds: at least 1, as a burst is sent twice a second")
    return options


@dataclass(frozen=True)
class Selection:
    """What is to be measured, in the order of the report."""

    once: list[str]
    rows: list[rows.Row]
    pairs: list[Pair]

    def names(self) -> list[str]:
        return [*self.once, *(row.name for row in self.rows), *(pair.name for pair in self.pairs)]


def chosen(names: str | None, quick: bool, beside: bool = False) -> Selection:
    """What is meant by the names; None means all. `beside`: with Janus."""
    patterns = [name.strip() for name in (names or "").split(",") if name.strip()]

    def meant(name: str) -> bool:
        return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)

    offered = rows.QUICK if quick else rows.ROWS
    pairs = [pair for pair in PAIRS if pair.row.participants <= rows.QUICK_PARTICIPANTS or not quick]
    return Selection(
        [name for name in _ONCE if meant(name)],
        [row for row in offered if meant(row.name)],
        [pair for pair in pairs if beside and meant(pair.name)],
    )


def measured(server: Server, row: rows.Row, seconds: float, cores: machine.Cores) -> dict[str, Any]:
    """One row; trouble with it is a row that says so, and the next one is tried, on a new server."""
    try:
        return rows.measure(server, row, seconds, cores)
    except (ServerError, GeneratorError, CallerError) as error:
        server.restart()
        time.sleep(SETTLE_S)
        return {"row": row.name, "error": f"{type(error).__name__}: {error}"}


def beside(server: Server, pairs: list[Pair], seconds: float, cores: machine.Cores) -> dict[str, Any]:
    """The pairs; a Janus that does not run is no reason to lose what was measured before."""
    try:
        return compare(server, pairs, seconds, cores)
    except janus.JanusError as error:
        return {"janus": janus.version(), "pairs": [{"row": pair.name, "error": str(error)} for pair in pairs]}


def run(selected: Selection, seconds: float) -> dict[str, Any]:
    """Everything, against one server."""
    cores = machine.divide_cores()
    report: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": machine.commit(RESULTS.parent.parent),
        "machine": machine.describe() | {"server_core": cores.server, "generator_core": cores.generator},
        "seconds": seconds,
        "rows": [],
    }
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder, Server(Path(folder), cores.server) as server:
        machine.pin(cores.generator)
        time.sleep(SETTLE_S)
        for name in selected.once:
            _say(name)
            report[name] = _ONCE[name](server, seconds)
        for row in selected.rows:
            _say(row.name)
            report["rows"].append(measured(server, row, seconds, cores))
        if selected.pairs:
            _say(", ".join(pair.name for pair in selected.pairs))
            report["compared"] = beside(server, selected.pairs, seconds, cores)
    return report


def _say(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


def show(report: dict[str, Any]) -> None:
    about = report["machine"]
    where = "server and mixers on core {server_core}, load on core {generator_core}".format(**about)
    if about["server_core"] is None:
        where = "one core for server, mixers and load: figures say little"
    print(f"commit {report['commit']}, {about['cpu']}, {about['cores']} cores, Python {about['python']}; {where}")
    if report["rows"]:
        print(table.table(report["rows"]))
    for remark in [remark for result in report["rows"] for remark in table.remarks(result)]:
        print(f"! {remark}")
    if "compared" in report:
        print(table.comparison(report["compared"]))
    if start := report.get("start"):
        took = f"p50 {start['p50_ms']:.1f} ms, max of {start['starts']} {start['max_ms']:.1f} ms"
        print(f"new conference, join to answer: {took}")
    if "waiting" in report:
        print(waiting.describe(report["waiting"]))
    for line in (*webhooks.describe(report), *recording.describe(report)):
        print(line)
    if idle := report.get("idle"):
        print(
            f"idle: {idle['cpu_percent']:.2f} % of a core; private memory {idle['mixer_private_mib']:.1f} MiB a mixer"
        )


def failed(report: dict[str, Any]) -> bool:
    """Whether anything could not be measured."""
    return any("error" in result for result in [*report["rows"], *report.get("compared", {}).get("pairs", [])])


def main() -> int:
    options = arguments()
    with_janus = options.compare is not None
    if with_janus and not options.list and not janus.installed():
        print(janus.MISSING, file=sys.stderr)
        with_janus = False
    selected = chosen(options.rows, options.quick, with_janus)
    if options.list:
        print("\n".join(selected.names()))
        return 0
    if not selected.names():
        print("nothing to measure has such a name; --list prints them all", file=sys.stderr)
        return 2
    try:
        report = run(selected, options.seconds)
    except (ServerError, CallerError) as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    show(report)
    print(f"written to {table.write(report, options.output)}")
    return 1 if failed(report) else 0


if __name__ == "__main__":
    sys.exit(main())
