"""docs/quality.md, made of the published figures in docs/quality.json, and what is claimed of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
RESULTS: Final = DOCS / "quality.json"
PAGE: Final = DOCS / "quality.md"

OPUS_LEAST: Final = {0.0: 3.8, 0.01: 3.5, 0.05: 3.0, 0.10: 2.6, 0.20: 1.9}
"""Loss → the least mean PESQ-WB through the server."""
CONCEALMENT_GAIN: Final = 0.8
"""PESQ-NB above holes of silence, at 5 % loss."""
PRIVATE_WITHIN: Final = 0.1
"""PESQ-WB; how far a shared stream may be below an encoder of one's own."""
ONSET_ENERGY: Final = 0.95

_HEAD: Final = """\
# Sound quality

Made by `python -m bench.quality` from [quality.json](quality.json); figures are not written here by hand.

A mixer gets packets of simulated talkers over simulated links and sends packets to simulated listeners, all on a
virtual clock: the same code as in a server, in the same order, at no particular speed. PESQ (ITU-T P.862, 1 bad to 4.6)
and STOI (0 to 1, how much is understood) compare what was said with what a listener decodes.
"""
_REPRODUCE: Final = """\
## Do it yourself

```sh
.venv/bin/python -m bench.quality          # measures all of it and makes this page; about a quarter of an hour
.venv/bin/python -m bench.quality --page   # makes the page of the figures there are
```

Tests hold the claims with fewer voices and seeds: `tests/mixer/test_quality.py`. What the server does with a voice, and
what of it can be set, is told in [Sound](sound.md).
"""
_HOWS: Final = {"silence": "silence", "dtx": "DTX", "unmute": "unmute"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A figure and what it must be."""

    what: str
    value: float
    bound: str
    limit: float

    @property
    def held(self) -> bool:
        return self.value >= self.limit if self.bound == "at least" else self.value <= self.limit


def claims(report: dict[str, Any]) -> list[Claim]:
    """Everything that is claimed, with what was measured."""
    out = [
        Claim(
            f"Opus, {_percent(row['loss'])} loss, PESQ-WB", row["server"]["pesq"], "at least", OPUS_LEAST[row["loss"]]
        )
        for row in report["opus"]
        if row["said"] == "voices" and row["burst"] is None and row["jitter_ms"] == 0
    ]
    out += [
        Claim("PCMU, 5 % loss, PESQ-NB above silence", row["concealed"] - row["zeros"], "at least", CONCEALMENT_GAIN)
        for row in report["pcmu"]
        if row["said"] == "voices" and row["loss"] == 0.05
    ]
    out.append(
        Claim("an hour of drift, late packets and gaps", _most(report["hour"], "late", "concealed"), "at most", 0)
    )
    out.append(Claim("an hour of drift, step in phase", _most(report["hour"], "worst_step"), "at most", 0.03))
    worse = [row[f"{who}_private"] - row[who] for row in report["toggling"] for who in ("own", "listener")]
    out.append(Claim("toggling, PESQ-WB below private encoders", max(worse), "at most", PRIVATE_WITHIN))
    out.append(Claim("toggling, gaps in sequence numbers", _most(report["toggling"], "gaps"), "at most", 0))
    kept = min(row["energy"] for row in report["onsets"])
    out.append(Claim("first 100 ms of speech, share of the energy", kept, "at least", ONSET_ENERGY))
    return out


def page(report: dict[str, Any]) -> str:
    """The page of a report."""
    parts = [
        _HEAD,
        _machine(report),
        *_claims(report),
        *_opus(report),
        *_pcmu(report),
        *_hour(report),
        *_toggling(report),
        *_onsets(report),
        *_receivers(report),
        _REPRODUCE,
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _machine(report: dict[str, Any]) -> str:
    about = report["machine"]
    return (
        f"Measured on {report['date']}: commit `{report['commit']}`; {about['cpu']}; Linux {about['kernel']}; "
        f"Python {about['python']}."
    )


def _claims(report: dict[str, Any]) -> Iterator[str]:
    yield "## Claims"
    yield _table(
        ("claim", "", "measured", ""),
        [
            (claim.what, f"{claim.bound} {claim.limit:g}", _figure(claim.value), "held" if claim.held else "missed")
            for claim in claims(report)
        ],
    )


def _opus(report: dict[str, Any]) -> Iterator[str]:
    yield f"""\
## Opus from a talker who loses packets

A talker's Opus (64 kbit/s, with in-band FEC) loses packets on its way to the server, is decoded, mixed, encoded again
and decoded by a listener. Three voices, {report["seeds"]} links each; means, and after the stroke the worst single one.

* **Straight**: the listener decodes the talker's packets, with the same ones lost and none too late. What is between
  that and **through the server** is what the server costs, nearly all of it by the second encoding.
* **Complexity 0**: what streams are encoded with while more than eight of a conference are, or where
  `PARLEY_MIXER_OPUS_COMPLEXITY` is 0. Otherwise it is 5."""
    for said, heading in (("voices", "### Voices"), ("words", "### Words")):
        rows = [row for row in report["opus"] if row["said"] == said]
        if not rows:
            continue
        yield heading
        yield _SAID[said]
        yield _table(
            ("loss", "through the server", "STOI", "complexity 0", "straight, FEC", "STOI", "straight, FEC unused"),
            [
                (
                    _network(row),
                    f"**{row['server']['pesq']:.2f}** / {row['server']['least_pesq']:.2f}",
                    f"{row['server']['stoi']:.3f}",
                    f"{row['least']['pesq']:.2f} / {row['least']['least_pesq']:.2f}",
                    f"{row['fec']['pesq']:.2f} / {row['fec']['least_pesq']:.2f}",
                    f"{row['fec']['stoi']:.3f}",
                    f"{row['conceal']['pesq']:.2f} / {row['conceal']['least_pesq']:.2f}",
                )
                for row in rows
            ],
        )


_SAID: Final = {
    "voices": "The voices of `make demo`, which murmur without words and come with Parley.",
    "words": "The same by eSpeak NG, saying sentences. It is harder to encode; the claims are not made of it.",
}


def _network(row: dict[str, Any]) -> str:
    said = _percent(row["loss"])
    if row["burst"]:
        said += f", {row['burst']:g} in a row"
    return said + (f", {row['jitter_ms']:g} ms jitter" if row["jitter_ms"] else "")


def _pcmu(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## PCMU from a talker who loses packets\n\n"
        f"PESQ-NB, three voices, {report['pcmu_seeds']} links each: what is lost is made up, or left silent."
    )
    yield _table(
        ("", "loss", "made up", "silence", "difference"),
        [
            (
                row["said"],
                _percent(row["loss"]),
                f"{row['concealed']:.2f}",
                f"{row['zeros']:.2f}",
                f"**{row['concealed'] - row['zeros']:.2f}**",
            )
            for row in report["pcmu"]
        ],
    )


def _hour(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## A clock that drifts\n\n"
        "1 kHz in PCMU from a sender whose clock is off. Corrections drop or repeat whole periods, so phase goes on:\n"
        "the step is the most by which a period differs from the one before, as a share of the amplitude. Waits are\n"
        "those in the jitter buffer: the least, the most, the mean of the first and of the last sixth."
    )
    yield _table(
        ("clock", "time", "corrections", "moved", "late", "gaps", "step", "wait ms", "first, last sixth"),
        [
            (
                f"{row['ppm']:+d} ppm",
                f"{row['seconds']} s",
                f"{row['corrections']}",
                f"{row['moved_ms']:.0f} ms",
                f"{row['late']}",
                f"{row['concealed']}",
                f"{row['worst_step']:.4f}",
                f"{row['least_wait_ms']:.1f} to {row['most_wait_ms']:.1f}",
                f"{row['first_wait_ms']:.1f}, {row['last_wait_ms']:.1f}",
            )
            for row in report["hour"]
        ],
    )


def _toggling(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## A talker who comes and goes every two seconds\n\n"
        "Legs that hear the same share an encoder; who talks has one of his own and goes back to the shared one.\n"
        "PESQ-WB with that, and after the stroke with an encoder for each leg all the time."
    )
    yield _table(
        ("", "is sent", "hears", "a listener hears", "sequence gaps"),
        [
            (
                "muted and unmuted" if row["mutes"] else "pauses",
                "with FEC" if row["protected"] else "plain",
                f"{row['own']:.2f} / {row['own_private']:.2f}",
                f"{row['listener']:.2f} / {row['listener_private']:.2f}",
                f"{row['gaps']:.0f}",
            )
            for row in report["toggling"]
        ],
    )


def _onsets(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## The first 100 ms of speech\n\n"
        "After two seconds of silence, after the sender had stopped sending (DTX), and from an unmute on. Shares of\n"
        "what a decoder makes that gets every packet and skips none: of its energy, and of its samples those within a\n"
        "hundredth of the loudest."
    )
    ways = list(dict.fromkeys(row["what"] for row in report["onsets"]))
    by_way = {(row["what"], row["how"]): row for row in report["onsets"]}
    yield _table(
        ("", *(f"after {name}: energy, samples" for name in _HOWS.values())),
        [
            (
                way,
                *(
                    f"{100 * by_way[way, how]['energy']:.0f} %, {100 * by_way[way, how]['samples']:.0f} %"
                    for how in _HOWS
                ),
            )
            for way in ways
        ],
    )


def _receivers(report: dict[str, Any]) -> Iterator[str]:
    yield (
        "## A listener who loses packets\n\n"
        "PESQ-WB, three voices. Who reports loss is sent packets with FEC; who does not is sent the plain profile."
    )
    yield _table(
        ("loss", "reported", "not reported"),
        [(_percent(row["loss"]), f"**{row['protected']:.2f}**", f"{row['plain']:.2f}") for row in report["receivers"]],
    )


def _most(rows: Sequence[dict[str, Any]], *names: str) -> float:
    return float(max(row[name] for row in rows for name in names))


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _figure(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
