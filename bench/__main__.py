"""`python -m bench`: measure the real server under load, print a table, write JSON."""

import argparse
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import httpx2

from bench import machine, rows, table, waiting
from bench.load import GeneratorError
from bench.target import Server, ServerError

SETTLE_S: Final = 4.0
"""A server that has just started composes its music in the background, on the core that is to be measured."""
RESULTS: Final = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long each row is measured (default 10, quick 3)")
    parser.add_argument("--rows", help="only rows of these names, comma-separated; * and ? as in a shell")
    parser.add_argument("--quick", action="store_true", help="only rows of up to 100 participants, 3 s each")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the JSON file")
    options = parser.parse_args()
    options.seconds = options.seconds or (3.0 if options.quick else 10.0)
    if options.seconds < 1:
        parser.error("--seconds: at least 1, as the probe sends its bursts once a second")
    return options


def chosen(names: str | None, quick: bool) -> list[rows.Row]:
    """The rows that are meant, in the order of the table."""
    wanted = [] if names is None else [name.strip() for name in names.split(",") if name.strip()]
    offered = rows.QUICK if quick else rows.ROWS
    return [row for row in offered if not wanted or any(fnmatchcase(row.name, name) for name in wanted)]


def measured(server: Server, row: rows.Row, seconds: float, cores: machine.Cores) -> dict[str, Any]:
    """One row; trouble with it is a row that says so, and the next one is tried."""
    try:
        return rows.measure(server, row, seconds, cores)
    except (ServerError, GeneratorError, httpx2.TransportError) as error:
        return {"row": row.name, "error": f"{type(error).__name__}: {error}"}


def run(selected: list[rows.Row], seconds: float) -> dict[str, Any]:
    """Everything, against one server."""
    cores = machine.divide_cores()
    report: dict[str, Any] = {
        "commit": machine.commit(RESULTS.parent.parent),
        "machine": machine.describe() | {"server_core": cores.server, "generator_core": cores.generator},
        "seconds": seconds,
        "rows": [],
    }
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder, Server(Path(folder), cores.server) as server:
        machine.pin(cores.generator)
        time.sleep(SETTLE_S)
        report["start"] = rows.measure_starts(server)
        report["idle"] = rows.measure_idle(server)
        report["waiting"] = waiting.measure_waiting(server, seconds)
        for row in selected:
            print(f"  {row.name} ...", file=sys.stderr, flush=True)
            report["rows"].append(measured(server, row, seconds, cores))
    return report


def show(report: dict[str, Any]) -> None:
    about, start, idle = report["machine"], report["start"], report["idle"]
    where = "server and mixers on core {server_core}, load on core {generator_core}".format(**about)
    if about["server_core"] is None:
        where = "one core for server, mixers and load: figures say little"
    print(f"commit {report['commit']}, {about['cpu']}, {about['cores']} cores, Python {about['python']}; {where}")
    print(table.table(report["rows"]))
    for remark in [remark for result in report["rows"] for remark in table.remarks(result)]:
        print(f"! {remark}")
    took = f"p50 {start['p50_ms']:.1f} ms, max of {start['starts']} {start['max_ms']:.1f} ms"
    print(f"new conference, join to answer: {took}")
    print(waiting.describe(report["waiting"]))
    print(f"idle: {idle['cpu_percent']:.2f} % of a core; private memory {idle['mixer_private_mib']:.1f} MiB a mixer")


def main() -> int:
    options = arguments()
    selected = chosen(options.rows, options.quick)
    if not selected:
        print("no row has such a name; --list prints them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(row.name for row in selected))
        return 0
    try:
        report = run(selected, options.seconds)
    except (ServerError, httpx2.TransportError) as error:
        print(f"no measurement: {error}", file=sys.stderr)
        return 1
    show(report)
    print(f"written to {table.write(report, options.output, time.strftime('%Y-%m-%d'))}")
    return 1 if any("error" in result for result in report["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
