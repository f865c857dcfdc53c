"""`python -m bench.quality`: how good sound is after the mixer, on a virtual clock; docs/quality.json and its page.

A mixer runs without processes or sockets, so load on the machine changes no figure. With `--page` only the page is made
anew. What a measurement is, is in `tests.support.measure`, where the tests that hold these figures have it from.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import machine
from bench.quality_page import PAGE, RESULTS, page
from mixer.protocol import MixerConfig
from tests.support.measure import opus_path, pcmu_path, sounds
from tests.support.measure.drift import AMPLITUDE, DriftingTone
from tests.support.measure.links import Network
from tests.support.measure.onsets import heard_as
from tests.support.measure.receiver_loss import listen
from tests.support.measure.toggling import toggle
from tests.support.quality import has_pesq

SEEDS: Final = (1, 2, 3)
PCMU_SEEDS: Final = (1, 2, 3, 4, 5, 6)
HOUR_S: Final = 3600
LOSSES: Final = (0.0, 0.01, 0.05, 0.10, 0.20)
NETWORKS: Final = (
    *(Network(loss) for loss in LOSSES),
    Network(0.05, burst=3),
    Network(0.10, burst=3),
    Network(jitter_ms=50),
    Network(0.05, jitter_ms=50),
)
LEAST_COMPLEXITY: Final = 0
_TOLD_S: Final = 12.0
_SAYS: Final[dict[str, Callable[[str, int], sounds.Pcm]]] = {"voices": sounds.voice, "words": sounds.words}

Row = dict[str, Any]


def measure(hour_s: int = HOUR_S) -> Row:
    """Everything there is on the page."""
    report: Row = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": machine.commit(RESULTS.parent.parent),
        "machine": machine.describe(),
        "seeds": len(SEEDS),
        "pcmu_seeds": len(PCMU_SEEDS),
    }
    tables: dict[str, Callable[[], Iterable[Row]]] = {
        "opus": opus,
        "pcmu": pcmu,
        "hour": lambda: hour(hour_s),
        "toggling": toggling,
        "onsets": onsets,
        "receivers": receivers,
    }
    for name, rows in tables.items():
        report[name] = []
        for row in rows():
            print(f"  {name}: {row}", file=sys.stderr, flush=True)
            report[name].append(row)
    return report


def opus() -> Iterator[Row]:
    """Opus from a talker over each network, through the server and straight; words only where packets are just lost."""
    for network in NETWORKS:
        yield _opus("voices", network)
    if sounds.can_say_words():
        for loss in LOSSES:
            yield _opus("words", Network(loss))


def _opus(said: str, network: Network) -> Row:
    scores: dict[str, list[opus_path.Score]] = {"server": [], "least": [], "fec": [], "conceal": []}
    for name in sounds.VOICES:
        sound = _SAYS[said](name, 48_000)
        for seed in SEEDS:
            journey = opus_path.talk(sound, network, seed)
            scores["server"].append(journey.through_server())
            scores["least"].append(opus_path.talk(sound, network, seed, LEAST_COMPLEXITY).through_server())
            scores["fec"].append(journey.straight("fec"))
            scores["conceal"].append(journey.straight("conceal"))
    means = {
        way: {
            "pesq": _rounded(np.mean([one.pesq for one in all_of])),
            "stoi": _rounded(np.mean([one.stoi for one in all_of])),
            "least_pesq": _rounded(min(one.pesq for one in all_of)),
        }
        for way, all_of in scores.items()
    }
    return {"said": said, **asdict(network), **means}


def pcmu() -> Iterator[Row]:
    """PCMU with what is lost concealed, and with silence instead."""
    for said in ("voices", "words") if sounds.can_say_words() else ("voices",):
        for loss in (0.01, 0.05, 0.10):
            talks = [
                pcmu_path.talk(_SAYS[said](name, 8000), loss, seed) for name in sounds.VOICES for seed in PCMU_SEEDS
            ]
            concealed, zeros = (_rounded(np.mean([getattr(talk, way) for talk in talks])) for way in _PCMU_WAYS)
            yield {"said": said, "loss": loss, "concealed": concealed, "zeros": zeros}


_PCMU_WAYS: Final = ("concealed", "zeros")


def hour(seconds: int) -> Iterator[Row]:
    """A tone whose sender's clock is off."""
    for ppm in (100, -100):
        drifted = DriftingTone("pcmu", ppm, phase_ms=5).run(seconds)
        sixth = max(1, len(drifted.waits_ms) // 6)
        yield {
            "ppm": ppm,
            "seconds": seconds,
            "corrections": drifted.corrections,
            "moved_ms": drifted.moved_ms,
            "late": drifted.late,
            "concealed": drifted.concealed,
            "least_wait_ms": min(drifted.waits_ms),
            "most_wait_ms": max(drifted.waits_ms),
            "first_wait_ms": _rounded(np.mean(drifted.waits_ms[:sixth])),
            "last_wait_ms": _rounded(np.mean(drifted.waits_ms[-sixth:])),
            "worst_step": _rounded(drifted.worst_step / AMPLITUDE, 4),
        }


def toggling() -> Iterator[Row]:
    """Who talks every other two seconds."""
    for mutes, protected in ((False, False), (True, False), (True, True)):
        toggled = {key: _rounded(value) for key, value in asdict(toggle(mutes, protected)).items()}
        yield {"mutes": mutes, "protected": protected, **toggled}


def onsets() -> Iterator[Row]:
    """The first 100 ms, with each trick that saves decoding."""
    ways: dict[str, tuple[Any, Row]] = {
        "Opus, 2 in the conference": ("opus", {"others": 1}),
        "Opus, 12: who is muted or silent is not decoded": ("opus", {}),
        "Opus, 12 of whom the loudest 5 are decoded": ("opus", {"config": MixerConfig("b", loudest=5), "loud": True}),
        "the same, with audio levels": (
            "opus", {"config": MixerConfig("b", loudest=5), "loud": True, "levels": True},
        ),
        "Opus, 12, all always decoded": ("opus", {"config": MixerConfig("b", loudest=0, skip_silent=False)}),
        "PCMU, 12": ("pcmu", {}),
    }  # fmt: skip
    for what, (codec, options) in ways.items():
        for how, kept in heard_as(codec, **options).items():
            yield {"what": what, "how": how, "energy": _rounded(kept.energy), "samples": _rounded(kept.samples)}


def receivers() -> Iterator[Row]:
    """A listener who loses packets, and reports it or not."""
    voices = [sounds.voice(name, 48_000, _TOLD_S) for name in sounds.VOICES]
    for loss in (0.05, 0.10):
        protected, plain = (
            _rounded(np.mean([listen(sound, loss, len(SEEDS), reports) for sound in voices]))
            for reports in (True, False)
        )
        yield {"loss": loss, "protected": protected, "plain": plain}


def _rounded(value: Any, places: int = 3) -> float:
    return round(float(value), places)


def main() -> int:
    parser = argparse.ArgumentParser("python -m bench.quality", description=__doc__)
    parser.add_argument("--page", action="store_true", help="measure nothing, make the page of the published figures")
    parser.add_argument("--hour", type=int, default=HOUR_S, metavar="S", help="how long the drifting tone lasts")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the JSON file; the page is made of the usual one")
    options = parser.parse_args()
    if not options.page:
        if not has_pesq():
            print("PESQ is not installed; `make setup` builds it where there is a C compiler", file=sys.stderr)
            return 2
        options.output.write_text(json.dumps(measure(options.hour), indent=2) + "\n")
    PAGE.write_text(page(json.loads(RESULTS.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
