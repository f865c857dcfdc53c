"""Bursts through simulated servers: what is added is what is measured."""

import numpy as np
import pytest

from bench.probe import Heard, burst_places, measure, onsets
from bench.voices import SAMPLE_RATE, Codec, probing

TICK_NS = 20_000_000
SECOND_NS = 50 * TICK_NS


def stream(codec: Codec, added_ns: int) -> tuple[list[Heard], list[int]]:
    """A minute of the probe's loop, sent on time, passed on unchanged after `added_ns`."""
    voice = probing(codec, 3)
    places = burst_places(codec, voice)
    heard, sent = [], []
    for tick in range(3000):
        packet = tick % len(voice.length)
        now = tick * TICK_NS
        if packet in places:
            sent.append(now + places[packet])
        payload = bytes(voice.payload[packet, : voice.length[packet]])
        heard.append(Heard((65_000 + tick) & 0xFFFF, now + added_ns, payload))
    return heard, sent


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_each_second_of_the_loop_has_a_burst_half_way(codec: Codec) -> None:
    places = burst_places(codec, probing(codec, 10))
    assert list(places) == [25, 75, 125, 175, 225]
    assert all(offset < 8_000_000 for offset in places.values())  # Opus: the encoder's look-ahead


@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_added_delay_is_what_was_added(codec: Codec) -> None:
    heard, sent = stream(codec, 37_000_000)
    delay = measure(codec, heard, sent)
    assert (delay.sent, delay.heard) == (60, 60)
    assert delay.p50_ms == pytest.approx(37, abs=0.2)
    assert delay.p95_ms == pytest.approx(37, abs=0.2)


def test_packets_may_come_out_of_order() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    heard[100:140] = heard[139:99:-1]
    assert measure("pcmu", heard, sent).heard == 60


def test_a_burst_that_is_not_heard_is_not_made_up() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    del heard[20:30]
    delay = measure("pcmu", heard, sent)
    assert (delay.sent, delay.heard) == (60, 59)
    assert delay.p95_ms == pytest.approx(37, abs=0.2)


def test_what_was_loud_before_the_first_burst_is_nobodys() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    assert measure("pcmu", heard, sent[1:]).heard == 59
    assert measure("pcmu", [], sent).heard == 0
    assert measure("pcmu", heard, []).p50_ms is None


def test_a_burst_across_packets_is_one() -> None:
    quiet, loud = np.zeros(160), np.full(160, 20_000.0)
    edge = np.concatenate([quiet[:150], -loud[:10]])
    assert onsets([quiet] * 5 + [edge, loud, loud] + [quiet] * 5 + [loud], 8000) == [(5, 18_750_000), (13, 0)]
    assert onsets([quiet, loud, quiet, loud], 8000) == [(1, 0)]


def test_a_loud_start_counts_as_a_burst() -> None:
    assert onsets([np.full(160, 20_000.0)], 8000) == [(0, 0)]
    assert SAMPLE_RATE["pcmu"] == 8000
