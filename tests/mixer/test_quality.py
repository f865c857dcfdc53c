"""What is claimed of sound quality, with fewer links than `python -m bench.quality` takes for docs/quality.md.

Drift, shared streams and loss towards a listener are tested where their code is, with the same measurements.
"""

from functools import cache
from statistics import fmean
from typing import Any

import pytest

from bench.quality_page import CONCEALMENT_GAIN, ONSET_ENERGY, OPUS_LEAST
from mixer.protocol import Codec, MixerConfig
from tests.support.measure import opus_path, pcmu_path
from tests.support.measure.links import Network
from tests.support.measure.onsets import How, onset
from tests.support.measure.sounds import VOICES, voice

SEED = 1


@cache
def journey(name: str, network: Network, complexity: int | None = None) -> opus_path.Journey:
    return opus_path.talk(voice(name, 48_000), network, SEED, complexity)


def opus_quality(network: Network, complexity: int | None = None) -> float:
    return fmean(journey(name, network, complexity).through_server().pesq for name in VOICES)


@pytest.mark.parametrize("loss", [loss for loss in OPUS_LEAST if loss > 0])
def test_opus_that_loses_packets_comes_through_well(loss: float) -> None:
    assert opus_quality(Network(loss)) >= OPUS_LEAST[loss]


@pytest.mark.parametrize(("complexity", "least"), [(None, OPUS_LEAST[0.0]), (0, 3.65)])
def test_opus_that_loses_nothing_is_spoilt_only_by_the_second_encoding(complexity: int | None, least: float) -> None:
    assert opus_quality(Network(), complexity) >= least


def test_jitter_costs_opus_next_to_nothing() -> None:
    still, jittery = (journey("ben", network).through_server() for network in (Network(), Network(jitter_ms=50)))
    assert jittery.pesq > still.pesq - 0.1
    assert jittery.stoi > still.stoi - 0.01


def test_fec_of_the_talker_reaches_the_listener() -> None:
    ben = journey("ben", Network(0.05))
    through, straight, concealed = ben.through_server(), ben.straight("fec"), ben.straight("conceal")
    assert through.pesq > straight.pesq - 0.35
    assert through.pesq > concealed.pesq + 0.5
    assert through.stoi > straight.stoi - 0.01


def test_concealed_pcmu_is_much_better_than_silence() -> None:
    talks = [pcmu_path.talk(voice(name, 8000), 0.05, seed) for name in VOICES for seed in (1, 2)]
    assert fmean(talk.concealed - talk.zeros for talk in talks) >= CONCEALMENT_GAIN


LOUDEST: dict[str, Any] = {"config": MixerConfig("test", loudest=5), "loud": True}


@pytest.mark.parametrize("how", ["silence", "dtx", "unmute"])
@pytest.mark.parametrize(
    ("codec", "options"), [("opus", {"others": 1}), ("opus", {}), ("opus", LOUDEST), ("pcmu", {})]
)  # fmt: skip
def test_first_hundred_ms_of_speech_are_kept(codec: Codec, options: dict[str, Any], how: How) -> None:
    """Whatever saves decoding: muted and silent legs, or all but the loudest."""
    kept = onset(codec, how, **options)
    assert ONSET_ENERGY <= kept.energy < 1.05
    assert kept.samples > 0.75
