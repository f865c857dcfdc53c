"""How results look on a terminal."""

from collections.abc import Sequence
from typing import Any, Final

_HEADINGS: Final = (
    ("row", ""),
    ("CPU ms/participant-s", "server + mixers"),
    ("tick work ms", "p50/p99/max"),
    ("lateness ms", "p50/p99/max"),
    ("late", "ticks"),
    ("delivered", "%"),
    ("added delay ms", "p50/p95"),
    ("bursts", "heard"),
)
_NOTHING: Final = "-"


def line(result: dict[str, Any]) -> tuple[str, ...]:
    """The cells of one measured row."""
    if "error" in result:
        return (result["row"], f"failed: {result['error'].splitlines()[0]}")
    cpu, delay = result["cpu_ms_per_participant_s"], result["delay"]
    return (
        result["row"],
        f"{cpu['total']:.3f} = {cpu['server']:.3f} + {cpu['mixers']:.3f}",
        _spread(result["work_ms"]),
        _spread(result["lateness_ms"]),
        f"{result['late_ticks']}/{result['ticks']}",
        f"{100 * result['delivered']:.3f}",
        f"{_number(delay['p50_ms'])}/{_number(delay['p95_ms'])}",
        f"{delay['heard']}/{delay['sent']}",
    )


def table(results: Sequence[dict[str, Any]]) -> str:
    """All rows under their headings."""
    head = [tuple(h[0] for h in _HEADINGS), tuple(h[1] for h in _HEADINGS)]
    body = [line(result) for result in results]
    full = [cells for cells in head + body if len(cells) == len(_HEADINGS)]
    width = [max(len(cells[i]) for cells in full) for i in range(len(_HEADINGS))]
    width[0] = max(len(cells[0]) for cells in head + body)
    rule = "  ".join("-" * w for w in width)
    lines = ["  ".join(f"{cell:<{w}}" for cell, w in zip(cells, width, strict=False)).rstrip() for cells in head + body]
    return "\n".join([*lines[:2], rule, *lines[2:]])


def comparison(pairs: Sequence[dict[str, Any]]) -> str:
    """Parley and Janus side by side, two lines a pair."""
    lines = ["beside Janus: CPU ms/participant-s, share of a core, delivered, mouth to ear p50"]
    for pair in pairs:
        if "error" in pair:
            lines.append(f"{pair['row']}  failed: {pair['error'].splitlines()[0]}")
            continue
        lines.append(f"{pair['row']}: Janus / Parley = {_number(pair['ratio'])}")
        lines += [f"  {who:<6}  {side_of(pair[who])}" for who in ("parley", "janus")]
    return "\n".join(lines)


def side_of(side: dict[str, Any]) -> str:
    """One side of a pair, on a line."""
    cpu = f"{side['cpu_ms_per_participant_s']:.3f}  {100 * side['core']:.0f} %  {100 * side['delivered']:.3f} %"
    return f"{cpu}  {_number(side['mouth_to_ear_p50_ms'])} ms  ({side['coding']})"


def remarks(result: dict[str, Any]) -> list[str]:
    """What makes a row less than it seems: trouble of the load generator, or participants without sound."""
    if "error" in result:
        return [f"{result['row']}: {result['error']}"]
    found = {
        "participants were sent nothing": result["participants_unserved"],
        "packets were lost in the load generator's own sockets": result["packets_dropped_here"],
        "packets could not be sent by the load generator": result["packets_refused"],
    }
    said = [f"{result['row']}: {count} {what}" for what, count in found.items() if count]
    if result["generator_cpu"] > 0.9:
        said.append(f"{result['row']}: the load generator used {100 * result['generator_cpu']:.0f} % of its core")
    return said


def _spread(spread: dict[str, float]) -> str:
    return "/".join(_number(spread[key]) for key in ("p50", "p99", "max"))


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"
