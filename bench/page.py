"""`python -m bench.page`: docs/benchmarks.md, made of the published results in docs/benchmarks.json.

With results files as arguments these are published first, as one. What is on the page besides the claims and the table
of rows is made by `sections`.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.report import Report, failures, merged, named, read, with_parts, write
from bench.rows import BURST_MS, JITTER_MS, LOSSY, SWITCHES
from bench.sections import LOUDEST, as_table, beside, ms, rest, savings
from bench.table import remarks
from bench.targets import findings
from server.loadtest.recovery import NEAR_MS

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
RESULTS: Final = DOCS / "benchmarks.json"
PAGE: Final = DOCS / "benchmarks.md"

_HEAD: Final = """\
# Benchmarks

Made by `python -m bench.page` from [benchmarks.json](benchmarks.json); figures are not written here by hand.

What is measured is the whole product, started as users start it: HTTP API, journal, statistics, RTCP, one mixer process
a conference. Server and mixers share one core, the load generator has another. Callers send real RTP over loopback,
a packet every 20 ms each, and every packet that should come back is counted.

* **CPU**: user and system time of the server and all its processes, in ms for each participant and second.
* **Late ticks**: ticks of 20 ms that were not done when the next one was due.
* **Work**, **lateness**: how long the mixer works on a tick, and how late it begins, p50 / p99 / max of its last
  minute. Of several conferences: the median p50, the worst p99 and max.
* **Delivered**: packets that participants got, of those they should have got.
* **Added delay**: from a burst in what a talker says to the same burst in what a listener gets, p50 / p95, without
  the 20 ms that a packet takes to fill. What the network on the way takes is in it.
"""
_REPRODUCE: Final = """\
## Do it yourself

```sh
make bench ARGS="--seconds 60 --compare janus"   # all rows; about an hour and a quarter
make bench ARGS="--quick"                        # up to 100 participants, 3 s each
make bench ARGS="--rows 'opus-*' --seconds 10"   # some rows; --list prints their names
make bench ARGS="--rows told --into RESULTS.json"   # add to a file, in place of what it has of that name
.venv/bin/python -m bench.page RESULTS.json      # make this page of a run's file, or of several
```

Two cores or more are needed for figures worth anything, and nothing else should run on them. `--compare janus` needs
the package `janus` of Debian or Ubuntu, and says so if it is not there. A row that fails, or is not done in time, is
told as failed, and the run goes on with the next.

What is left of events and recordings when processes are killed at random is counted by two others:

```sh
.venv/bin/python -m bench.kills             # the server, under load; what became of every event
.venv/bin/python -m bench.recording_kills   # recorders, mixers and servers; what is lost of recordings
```

Your own server, on your own machine, is tried by [`python -m server load-test`](load-test.md).
"""


def page(report: Report) -> str:
    """The page of a report."""
    parts = [
        _HEAD,
        _machine(report),
        *_targets(report),
        *_failures(report),
        *_rows(report),
        *savings(report),
        *beside(report.get("compared")),
        *rest(report),
        _REPRODUCE,
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _machine(report: Report) -> str:
    about = report["machine"]
    machine = [
        f"{about['cpu']}, {about['cores']} cores, {about['memory_mib'] / 1024:.0f} GiB",
        f"Linux {about['kernel']}",
        f"Python {about['python']}",
    ]
    parts = with_parts(report)["parts"]
    return "Measured on " + "; ".join([*machine, *_runs(parts)]) + "."


def _runs(parts: Sequence[dict[str, Any]]) -> Iterator[str]:
    for part in parts:
        said = f"commit `{part['commit']}` on {part['date']}, {part['seconds']:g} s a row"
        of = "" if len(parts) == 1 else f" ({', '.join(f'`{name}`' for name in part['measured'])})"
        yield f"{said}, load of the machine before {part['load_before']}{of}"


def _targets(report: Report) -> Iterator[str]:
    yield "## Claims"
    yield as_table(
        ("row", "claim", "measured", ""),
        [
            (
                f"`{found.target.row}`",
                f"{found.target.what} {found.target.bound} {found.target.limit:g}{found.target.unit}",
                "-" if found.value is None else f"{found.value:.{_places(found.value)}f}{found.target.unit}",
                found.verdict,
            )
            for found in findings(named(report))
        ],
    )


def _failures(report: Report) -> Iterator[str]:
    if failed := failures(report):
        yield "Could not be measured:"
        yield "\n".join(f"* {name}: {error.splitlines()[0]}" for name, error in failed.items())


def _places(value: float) -> int:
    return 0 if value == int(value) else 3 if value < 10 or 99 < value < 100 else 1


def _rows(report: Report) -> Iterator[str]:
    yield f"""\
## One core

A row's name says the codec, how many talk, and how many are in the conference; or, as in `80x2`, how many
conferences there are, of how many who all talk. In `-rules` some are held and hear music, and some coach. In
`-jitter50` every packet to the server takes 0 to {JITTER_MS:.0f} ms longer, in `-burst300` everything is held back for
{BURST_MS:.0f} ms at times; in `-lossy` everybody reports a loss of {100 * LOSSY.reported_loss:.0f} %. In Opus at most
{LOUDEST} voices are mixed at once, so of `opus-all-100` and `opus-all-150` the loudest; in `-everybody` all are."""
    off = {switch.off_row.name for switch in SWITCHES if not switch.off_row.name.endswith("-everybody")}
    good = [row for row in report["rows"] if "error" not in row and row["row"] not in off]
    if good:
        yield as_table(
            ("row", "CPU ms", "of a core", "work ms", "lateness ms", "late ticks", "delivered", "added delay ms"),
            [_row(row) for row in good],
        )
    said = [*_recoveries(good), *(f"* {said}" for row in report["rows"] if "error" not in row for said in remarks(row))]
    if said:
        yield "\n".join(said)


def _recoveries(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        if found := row.get("recovery"):
            after = f"within {found['after_s']:.1f} s" if found["recovered"] else f"not within {found['after_s']:.0f} s"
            yield (
                f"* `{row['row']}`: added delay {found['baseline_ms']:.0f} ms before, up to {found['worst_ms']:.0f} ms "
                f"more afterwards, back within {NEAR_MS:.0f} ms of before {after} ({found['holds']} times)."
            )


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    cpu, delay = row["cpu_ms_per_participant_s"]["total"], row["delay"]
    spreads = [
        " / ".join(f"{row[key][part]:.1f}" for part in ("p50", "p99", "max")) for key in ("work_ms", "lateness_ms")
    ]
    return (
        f"`{row['row']}`",
        f"{cpu:.3f}",
        f"{cpu * row['participants'] / 10:.0f} %",
        *spreads,
        f"{row['late_ticks']} of {row['ticks']}",
        f"{100 * row['delivered']:.3f} %",
        f"{ms(delay['p50_ms'])} / {ms(delay['p95_ms'])}",
    )


def main() -> int:
    if len(sys.argv) > 1:
        write(merged([read(Path(name)) for name in sys.argv[1:]]), RESULTS)
    PAGE.write_text(page(read(RESULTS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
