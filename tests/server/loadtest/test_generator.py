"""The load generator on real sockets of this machine, against a stand-in that passes packets on."""

from typing import Any

import pytest

from server.loadtest.generator import Generator, Result
from server.loadtest.load import Load
from server.loadtest.process import GeneratorError, GeneratorProcess
from tests.server.loadtest.standin import ring


def run(
    load: Load, target: tuple[str, int], seconds: float = 0.6, ip: str | None = None
) -> tuple[Result, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    generator = Generator(load, ip)
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
def test_the_listener_hears_the_bursts_of_the_probe(codec: str) -> None:
    with ring() as target:
        result, _ = run(Load(codec, 2, 2), target, seconds=1.6)
    assert result.delay.sent in (3, 4)
    assert result.delay.heard >= result.delay.sent - 1  # the last may still be on its way when the window closes
    assert result.delay.p50_ms is not None
    assert result.delay.p50_ms > 0


def test_participants_have_addresses_of_their_own() -> None:
    with ring() as target:
        result, _ = run(Load("pcmu", 40, 3), target)
    # Round the ring each gets what one other sent, which only works if the ring told all forty apart.
    assert result.participants_unserved == 0
    assert result.delivered == 1.0


def test_callers_with_a_socket_each_are_told_apart_too() -> None:
    with ring() as target:
        result, _ = run(Load("pcmu", 12, 3), target, ip="127.0.0.1")
    assert (result.participants_unserved, result.delivered) == (0, 1.0)
    generator = Generator(Load("pcmu", 12, 3), "127.0.0.1")
    assert len(set(generator.addresses)) == 12
    assert {ip for ip, _ in generator.addresses} == {"127.0.0.1"}
    generator.close()


def test_the_share_that_is_to_be_lost_is_not_sent() -> None:
    with ring(echo=True) as target:
        result, _ = run(Load("pcmu", 20, 20, loss=0.5), target)
    assert result.packets_sent + result.packets_dropped_on_purpose == 20 * 30
    assert 200 < result.packets_sent < 400


def test_only_those_who_talk_are_loud_in_each_conference() -> None:
    generator = Generator(Load("pcmu", 8, 1, conferences=4))
    loops = generator._first.tolist()
    generator.close()
    assert loops[0] not in loops[1:]  # the probe
    assert loops[2] == loops[4] == loops[6]
    assert loops[1] == loops[3] == loops[5] == loops[7] != loops[2]


def test_a_process_of_its_own_does_the_same() -> None:
    moments: list[Any] = []
    with ring(echo=True) as target, GeneratorProcess(Load("pcmu", 5, 3)) as generator:
        assert len(generator.addresses) == 5
        generator.add([target])
        generator.add([target] * 4)
        result = generator.measure(
            1.2, lambda: moments.append("open"), lambda: moments.append("closed"), moments.append
        )
    assert moments[0] == "open" and moments[2] == "closed"
    assert (moments[1]["tick"], moments[1]["sent"]) == (50, 250)
    assert result["packets_expected"] >= 5 * 59
    assert result["delivered"] == 1.0


def test_a_generator_that_fails_says_so() -> None:
    generator = GeneratorProcess(Load("pcmu", 2, 0), core=10_000)  # no such core
    with pytest.raises(GeneratorError), generator:
        pass
