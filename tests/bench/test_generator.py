"""The load generator on real sockets of this machine, against a stand-in that passes packets on."""

from typing import Any

import pytest

from bench.generator import Generator, Load, Result
from bench.load import GeneratorError, GeneratorProcess
from bench.voices import Codec
from tests.bench.standin import ring


def run(load: Load, target: tuple[str, int], seconds: float = 0.6) -> tuple[Result, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    generator = Generator(load)
    try:
        generator.add([target] * load.participants)
        generator.run(10)
        return generator.measure(seconds, told.append), told
    finally:
        generator.close()


def test_what_comes_back_in_full_is_delivered_in_full() -> None:
    with ring(echo=True) as target:
        result, told = run(Load("pcmu", 23, 23), target)
    assert result.packets_sent == 23 * 30
    assert result.delivered == 1.0
    assert (result.participants_unserved, result.packets_refused, result.packets_dropped_here) == (0, 0, 0)
    assert told == [{"measuring": True}, {"measured": True}]


def test_what_is_lost_is_missed() -> None:
    with ring(lose_every=10, echo=True) as target:
        result, _ = run(Load("pcmu", 11, 11), target)
    # Eleven take turns, so each misses every tenth of its own; what a window's ends hold makes up to two of thirty.
    assert 0.8 < result.delivered < 0.95


def test_silence_from_the_server_is_no_delivery() -> None:
    with ring(lose_every=1) as target:
        result, _ = run(Load("pcmu", 3, 3), target)
    assert result.delivered == 0
    assert result.participants_unserved == 3
    assert result.delay.heard == 0


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_the_listener_hears_the_bursts_of_the_probe(codec: Codec) -> None:
    with ring() as target:
        result, _ = run(Load(codec, 2, 2), target, seconds=2.5)
    assert result.delay.sent in (2, 3)
    assert result.delay.heard >= result.delay.sent - 1  # the last may still be on its way when the window closes
    assert result.delay.p50_ms is not None
    assert result.delay.p50_ms > 0


def test_participants_have_addresses_of_their_own() -> None:
    with ring() as target:
        result, _ = run(Load("pcmu", 40, 3), target)
    # Round the ring each gets what one other sent, which only works if the ring told all forty apart.
    assert result.participants_unserved == 0
    assert result.delivered == 1.0


def test_a_process_of_its_own_does_the_same() -> None:
    moments = []
    with ring(echo=True) as target, GeneratorProcess(Load("pcmu", 5, 3), core=None) as generator:
        assert len(generator.ports) == 5
        generator.add([target])
        generator.add([target] * 4)
        result = generator.measure(0.4, lambda: moments.append("open"), lambda: moments.append("closed"))
    assert moments == ["open", "closed"]
    assert result["packets_expected"] >= 5 * 19
    assert result["delivered"] == 1.0


def test_a_generator_that_fails_says_so() -> None:
    generator = GeneratorProcess(Load("pcmu", 0, 0), core=10_000)  # no such core
    with pytest.raises(GeneratorError), generator:
        pass
