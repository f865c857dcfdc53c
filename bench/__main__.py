"""`python -m bench`: measure the real server under load, print a table, write JSON."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench import compare, janus, limits, machine, recording, rows, table, targets, waiting, webhooks
from bench import report as reports
from bench.compare import PAIRS, Pair
from bench.report import Report
from bench.target import Server, ServerError
from server.caller.errors import CallerError

RESULTS: Final = Path(__file__).resolve().parent / "results"
_ONCE: Final[dict[str, Callable[[Server, float], dict[str, Any]]]] = {
    "start": lambda server, seconds: dict(rows.measure_starts(server)),
    "idle": lambda server, seconds: dict(rows.measure_idle(server)),
    "waiting": waiting.measure_waiting,
    **webhooks.MEASURED,
    **recording.MEASURED,
}
"""What is measured besides the rows of the table."""
_LONG: Final = frozenset({"hanging", *recording.MEASURED})
"""Not for a quick run, whatever its seconds are."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long each row is measured (default 10, quick 3)")
    parser.add_argument("--rows", help="only rows of these names, comma-separated; * and ? as in a shell")
    parser.add_argument("--quick", action="store_true", help="only rows of up to 100 participants, 3 s each")
    parser.add_argument("--compare", choices=["janus"], help="measure Janus' AudioBridge beside, if it is installed")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    parser.add_argument("--into", type=Path, help="JSON file to add to, in place of one of its own")
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
        [name for name in _ONCE if meant(name) and not (quick and name in _LONG)],
        [row for row in offered if meant(row.name)],
        [pair for pair in pairs if beside and meant(pair.name)],
    )


def run(selected: Selection, seconds: float, report: Report, save: Callable[[], object]) -> None:
    """Measure everything, against one server, into a report; `save` is called after each result."""
    cores = machine.divide_cores()
    limit_s = limits.limit_s(seconds)
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder, Server(Path(folder), cores.server) as server:
        machine.pin(cores.generator)

        def measured(what: str | rows.Row | Pair, measure: Callable[[], dict[str, Any]]) -> None:
            print(f"  {what if isinstance(what, str) else what.name} ...", file=sys.stderr, flush=True)
            reports.put(report, what, limits.attempt(server, limit_s, measure))
            save()

        for name in selected.once:
            measured(name, partial(_once, server, name, seconds))
        for row in selected.rows:
            measured(row, partial(rows.measure, server, row, seconds, cores))
        for pair in selected.pairs:
            measured(pair, partial(compare.measure, server, pair, seconds, cores))


def _once(server: Server, name: str, seconds: float) -> dict[str, Any]:
    server.use({})
    return _ONCE[name](server, seconds)


def show(report: Report) -> None:
    about = report["machine"]
    where = "server and mixers on core {server_core}, load on core {generator_core}".format(**about)
    if about["server_core"] is None:
        where = "one core for server, mixers and load: figures say little"
    print(f"commit {report['commit']}, {about['cpu']}, {about['cores']} cores, Python {about['python']}; {where}")
    results = reports.named(report)
    if report["rows"]:
        print(table.table(report["rows"]))
    for remark in [remark for result in report["rows"] for remark in table.remarks(result)]:
        print(f"! {remark}")
    if "compared" in report:
        print(table.comparison(report["compared"]["pairs"]))
    for line in _besides(results):
        print(line)
    for name in _ONCE:
        if "error" in results.get(name, {}):
            print(f"! {name}: {results[name]['error']}")
    for line in targets.lines(results):
        print(line)


def _besides(results: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    good = {name: result for name, result in results.items() if "error" not in result}
    if start := good.get("start"):
        took = f"p50 {start['p50_ms']:.1f} ms, max of {start['starts']} {start['max_ms']:.1f} ms"
        yield f"new conference, join to answer: {took}"
    if "waiting" in good:
        yield waiting.describe(good["waiting"])
    yield from webhooks.describe(good)
    yield from recording.describe(good)
    if idle := good.get("idle"):
        private_mib = idle["mixer_private_mib"]
        yield f"idle: {idle['cpu_percent']:.2f} % of a core; private memory {private_mib:.1f} MiB a mixer"


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
    report = _begun(options.seconds)
    earlier = [reports.read(options.into)] if options.into and options.into.exists() else []
    path = options.into or options.output / f"{report['date']}-{report['commit']}.json"
    try:
        reports.merged([*earlier, report])
        run(selected, options.seconds, report, lambda: reports.write(reports.merged([*earlier, report]), path))
    except (ServerError, CallerError, reports.OtherMachineError) as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    show(report)
    print(f"written to {path}")
    return 1 if reports.failures(report) else 0


def _begun(seconds: float) -> Report:
    cores = machine.divide_cores()
    about = machine.describe() | {"server_core": cores.server, "generator_core": cores.generator}
    return reports.begun(about, machine.commit(RESULTS.parent.parent), time.strftime("%Y-%m-%d"), seconds)


if __name__ == "__main__":
    sys.exit(main())
