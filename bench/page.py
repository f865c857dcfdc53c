"""`python -m bench.page`: docs/benchmarks.md, made of the published results in docs/benchmarks.json.

With a results file as argument that file is published first.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.compare import DELIVERED, LEAST_COMPLEXITY, PACKET_MS
from bench.table import remarks
from bench.targets import findings
from server.loadtest.voices import OPUS_BITRATE

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
* **Added delay**: from a burst in what a talker sends to the same burst in what a listener gets, p50 / p95, without
  the 20 ms that a packet takes to fill.
"""
_REPRODUCE: Final = """\
## Do it yourself

```sh
make bench ARGS="--seconds 60 --compare janus"   # all rows; about three quarters of an hour
make bench ARGS="--quick"                        # up to 100 participants, 3 s each
make bench ARGS="--rows 'opus-*' --seconds 10"   # some rows; --list prints their names
.venv/bin/python -m bench.page RESULTS.json      # make this page of a run's file
```

Two cores or more are needed for figures worth anything, and nothing else should run on them. `--compare janus` needs
the package `janus` of Debian or Ubuntu, and says so if it is not there.

Your own server, on your own machine, is tried by [`python -m server load-test`](load-test.md).
"""


def page(report: dict[str, Any]) -> str:
    """The page of a report."""
    parts = [
        _HEAD,
        _machine(report),
        *_targets(report),
        *_rows(report),
        *_beside(report.get("compared")),
        *_rest(report),
        _REPRODUCE,
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _machine(report: dict[str, Any]) -> str:
    about = report["machine"]
    said = [
        f"Measured on {report['date']}: commit `{report['commit']}`" if "date" in report else f"`{report['commit']}`",
        f"{about['cpu']}, {about['cores']} cores, {about['memory_mib'] / 1024:.0f} GiB",
        f"Linux {about['kernel']}",
        f"Python {about['python']}",
        f"{report['seconds']:g} s a row",
        f"load of the machine before: {about['load_before']}",
    ]
    return "; ".join(said) + "."


def _targets(report: dict[str, Any]) -> Iterator[str]:
    yield "## Claims"
    yield _table(
        ("row", "claim", "measured", ""),
        [
            (
                f"`{found.target.row}`",
                f"{found.target.what} {found.target.bound} {found.target.limit:g}{found.target.unit}",
                "-" if found.value is None else f"{found.value:.{_places(found.value)}f}{found.target.unit}",
                found.verdict,
            )
            for found in findings(report)
        ],
    )


def _places(value: float) -> int:
    return 0 if value == int(value) else 3 if value < 10 or 99 < value < 100 else 1


def _rows(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## One core\n\n"
        "A row's name says the codec, how many talk, and how many are in the conference; or, as in `80x2`, how many\n"
        "conferences there are, of how many who all talk."
    )
    good = [row for row in report["rows"] if "error" not in row]
    if good:
        yield _table(
            ("row", "CPU ms", "of a core", "work ms", "lateness ms", "late ticks", "delivered", "added delay ms"),
            [_row(row) for row in good],
        )
    said = [f"* {remark.splitlines()[0]}" for row in report["rows"] for remark in remarks(row)]
    if said:
        yield "\n".join(said)


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
        f"{_ms(delay['p50_ms'])} / {_ms(delay['p95_ms'])}",
    )


def _beside(compared: dict[str, Any] | None) -> Iterator[str]:
    if not compared:
        return
    yield f"""\
## Beside Janus

Janus {compared["janus"]} with its AudioBridge, from Debian's package: plain RTP participants in a room that mixes at
the codec's rate, on the same core, under the same load, in the same run.

* Mouth to ear is the added delay and the {PACKET_MS:.0f} ms that a packet takes to fill.
* Each side has the libopus it comes with. Talkers send Opus of {OPUS_BITRATE // 1000} kbit/s.
* In the row `-alike` Janus encodes at Parley's bitrate and the least complexity it takes, which is {LEAST_COMPLEXITY}.
* Where either side delivered less than {100 * DELIVERED:.0f} %, no ratio is given.
* A side that needs all of its core is cut short by it: it would take more, were there more."""
    rows = []
    for pair in compared["pairs"]:
        if "error" in pair:
            continue
        for who in ("parley", "janus"):
            side = pair[who]
            rows.append(
                (
                    f"`{pair['row']}`" if who == "parley" else "",
                    who.capitalize(),
                    side["coding"],
                    f"{side['cpu_ms_per_participant_s']:.3f}",
                    f"{100 * side['core']:.0f} %",
                    f"{100 * side['delivered']:.3f} %",
                    f"{_ms(side['mouth_to_ear_p50_ms'])}",
                    _ratio(pair["ratio"]) if who == "janus" else "",
                )
            )
    yield _table(("row", "", "encodes", "CPU ms", "of a core", "delivered", "mouth to ear ms", "Janus / Parley"), rows)


def _rest(report: dict[str, Any]) -> Iterator[str]:
    said = []
    if start := report.get("start"):
        said.append(
            f"* A join that creates a conference is answered after {start['p50_ms']:.0f} ms "
            f"(p50 of {start['starts']}), {start['max_ms']:.0f} ms at most."
        )
    if idle := report.get("idle"):
        said.append(
            f"* A server nobody calls takes {idle['cpu_percent']:.2f} % of a core; an idle mixer has "
            f"{idle['mixer_private_mib']:.1f} MiB of its own."
        )
    if waiting := report.get("waiting"):
        late = ", ".join(f"{who}: {one['late_ticks']} of {one['ticks']}" for who, one in waiting.items())
        said.append(f"* Late ticks with 200 who wait on music and a conference beside them: {late}.")
    if said:
        yield "## Besides"
        yield "\n".join(said)


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"**{value:.1f}**"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main() -> int:
    if len(sys.argv) > 1:
        RESULTS.write_text(json.dumps(json.loads(Path(sys.argv[1]).read_text()), indent=2) + "\n")
    PAGE.write_text(page(json.loads(RESULTS.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
