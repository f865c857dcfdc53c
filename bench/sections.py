"""Sections of the published page: what each way of saving gains, Janus beside, events, recordings, and the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from bench import recording, webhooks
from bench.compare import DELIVERED, JANUS_COMPLEXITY, LEAST_COMPLEXITY, PACKET_MS
from bench.report import Report, named
from bench.rows import SWITCHES
from mixer.protocol import MixerConfig
from server.loadtest.voices import OPUS_BITRATE

LOUDEST: Final = next(int(str(field.default)) for field in fields(MixerConfig) if field.name == "loudest")


def savings(report: Report) -> Iterator[str]:
    """What each way of saving work gains, by a row with everything on and the same row without it."""
    results = named(report)
    rows = []
    for switch in SWITCHES:
        on, off = (results.get(row.name, {"error": ""}) for row in (switch.on_row, switch.off_row))
        if "error" in on or "error" in off:
            continue
        with_it, without = (one["cpu_ms_per_participant_s"]["total"] for one in (on, off))
        rows.append(
            (
                f"`{switch.setting}={switch.off}`",
                f"`{switch.on_row.name}`",
                *(f"{_cpu(one)}, {one['late_ticks']} of {one['ticks']} late" for one in (on, off)),
                f"**{without / with_it:.1f}**",
            )
        )
    if rows:
        yield (
            "## What each saving gains\n\n"
            "Mixers have ways to save work on Opus, each of which a setting turns off ([settings.md](settings.md)).\n"
            "CPU in ms, and in parts of a core, with everything on and with that one off. A side that is late has\n"
            "less time than it wants, so it would take more, were there more. The last does not save: it is what\n"
            "protecting those who report loss costs."
        )
        yield as_table(("off by", "row", "on", "off", "off / on"), rows)


def _cpu(row: Mapping[str, Any]) -> str:
    cpu = row["cpu_ms_per_participant_s"]["total"]
    return f"{cpu:.3f} ({cpu * row['participants'] / 10:.0f} %)"


def beside(compared: Mapping[str, Any] | None) -> Iterator[str]:
    """Parley and Janus, two lines a pair."""
    if not compared:
        return
    yield f"""\
## Beside Janus

Janus {compared["janus"]} with its AudioBridge, from Debian's package: plain RTP participants in a room that mixes at
the codec's rate, on the same core, under the same load, in the same run.

* Mouth to ear is the added delay and the {PACKET_MS:.0f} ms that a packet takes to fill.
* Each side has the libopus it comes with. Talkers send Opus of {OPUS_BITRATE // 1000} kbit/s.
* In the row `-alike` Janus encodes at Parley's bitrate and the least complexity it takes, which is {LEAST_COMPLEXITY}.
* In the rows `-same` both encode at the same bitrate and at complexity {JANUS_COMPLEXITY}, which is what Janus takes by
  itself. Janus still encodes for VoIP and Parley for low delay: neither lets that be chosen.
* Both have one core, and what limits them is said by *of a core*. A Janus that needs more than all of it sends fewer
  packets than it should: the ratio is then what its core allowed, marked by >, and would be more, were there more.
* Where either side delivered less than {100 * DELIVERED:.0f} % for another reason, no ratio is given."""
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
                    f"{ms(side['mouth_to_ear_p50_ms'])}",
                    _ratio(pair) if who == "janus" else "",
                )
            )
    yield as_table(
        ("row", "", "encodes", "CPU ms", "of a core", "delivered", "mouth to ear ms", "Janus / Parley"), rows
    )


def rest(report: Report) -> Iterator[str]:
    """What is measured besides the rows: one line for each, but recordings, which have a table."""
    good = {name: result for name, result in named(report).items() if "error" not in result}
    said = [f"* {line}." for line in (*_server(good), *(_sentence(line) for line in webhooks.describe(good)))]
    if said:
        yield "## Besides"
        yield "\n".join(said)
    yield from _recordings(good)


def _sentence(line: str) -> str:
    return line[0].upper() + line[1:]


def _server(good: Mapping[str, Any]) -> Iterator[str]:
    if start := good.get("start"):
        yield (
            f"A join that creates a conference is answered after {start['p50_ms']:.0f} ms "
            f"(p50 of {start['starts']}), {start['max_ms']:.0f} ms at most"
        )
    if idle := good.get("idle"):
        yield (
            f"A server nobody calls takes {idle['cpu_percent']:.2f} % of a core; an idle mixer has "
            f"{idle['mixer_private_mib']:.1f} MiB of its own"
        )
    if waiting := good.get("waiting"):
        late = ", ".join(f"{who}: {one['late_ticks']} of {one['ticks']}" for who, one in waiting.items())
        yield f"Late ticks with 200 who wait on music and a conference beside them: {late}"


def _recordings(good: Mapping[str, Any]) -> Iterator[str]:
    measured = [(name, good[name]) for name in recording.MEASURED if name in good]
    if not measured:
        return
    yield (
        "## Recording everybody\n\n"
        "A conference whose every track is recorded, beside the same unrecorded; *stalled*: the recorder stands\n"
        "still for two seconds, as a disk would that takes nothing. What a tick costs more is found within one\n"
        "conference, by turns recorded and paused."
    )
    rows = []
    for name, found in measured:
        for how in recording.WAYS:
            one = found[how]
            rows.append(
                (
                    f"`{name}`" if how == recording.WAYS[0] else "",
                    how,
                    " / ".join(f"{one['work_ms'][part]:.1f}" for part in ("p50", "p99", "max")),
                    f"{one['late_ticks']} of {one['ticks']}",
                    f"{100 * one['mixer_core']:.1f} %",
                    f"{100 * one['recorder_core']:.1f} %",
                    f"{100 * found['tick_change']:+.1f} %" if how == "recorded" else "",
                )
            )
    yield as_table(("row", "", "work ms", "late ticks", "mixer", "recorder", "a tick costs"), rows)


def _ratio(pair: Mapping[str, Any]) -> str:
    if pair["ratio"] is None:
        return "-"
    return f"{'> ' if pair['janus']['at_limit'] else ''}**{pair['ratio']:.1f}**"


def ms(value: float | None) -> str:
    """A time as it stands in a table."""
    return "-" if value is None else f"{value:.0f}"


def as_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
