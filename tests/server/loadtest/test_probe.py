"""Bursts through simulated servers: what is added is what is measured."""

from dataclasses import replace

import numpy as np
import pytest

from server.caller.codecs import CODEC_NAMES
from server.loadtest.probe import Delay, Heard, Sent, burst_places, delay, echoes, matched_ms, onsets
from server.loadtest.voices import BURST_TICKS, ROUND_TICKS, burst_ticks, probing

TICK_NS = 20_000_000


def stream(codec: str, added_ns: int) -> tuple[list[Heard], list[int]]:
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


def measure(codec: str, heard: list[Heard], sent: list[int]) -> Delay:
    return delay(echoes(codec, heard, [Sent(at_ns, 0) for at_ns in sent]), len(sent))


@pytest.mark.parametrize("codec", CODEC_NAMES)
@pytest.mark.parametrize(("turn", "probes"), [(0, 1), (2, 3)])
def test_the_loop_has_a_burst_whenever_it_is_its_turn(codec: str, turn: int, probes: int) -> None:
    places = burst_places(codec, probing(codec, 10, turn, probes))
    assert list(places) == burst_ticks(turn, probes, 2)
    assert all(offset < 8_000_000 for offset in places.values())  # Opus: the encoder's look-ahead


def test_all_take_their_turns() -> None:
    for probes in range(1, 6):
        turns = sorted(tick for turn in range(probes) for tick in burst_ticks(turn, probes, 1))
        assert turns == list(BURST_TICKS)


@pytest.mark.parametrize("added_ms", [3, 37, 512, 2300])
@pytest.mark.parametrize("codec", ["pcmu", "opus"])
def test_added_delay_is_what_was_added(codec: str, added_ms: int) -> None:
    heard, sent = stream(codec, added_ms * 1_000_000)
    delay = measure(codec, heard, sent)
    assert (delay.sent, delay.heard) == (120, 120)
    assert delay.p50_ms == pytest.approx(added_ms, abs=0.2)
    assert delay.p95_ms == pytest.approx(added_ms, abs=0.2)


@pytest.mark.parametrize("rounds", [1, 2, 10])
def test_a_delay_is_told_from_another_although_bursts_are_missing_and_delays_vary(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    ticks = [number * ROUND_TICKS + tick for number in range(rounds) for tick in BURST_TICKS]
    sent = np.array(ticks, np.int64) * TICK_NS
    for added_ms in (20.0, 140.0, 700.0, 1900.0):
        took = rng.uniform(added_ms, added_ms + 40, len(sent))
        heard = sent + (took * 1e6).astype(np.int64)
        kept = np.arange(len(sent)) % 5 != 3
        found = matched_ms(sent, heard[kept])
        assert found[kept] == pytest.approx(took[kept])
        assert len(found) == len(sent)


def test_a_delay_that_changes_is_followed_by_turns() -> None:
    """Early, late by more than the time between two bursts, and back again."""
    heard, sent = stream("pcmu", 30_000_000)
    late = [h if h.arrival_ns % 60e9 < 20e9 else replace(h, arrival_ns=h.arrival_ns + 330_000_000) for h in heard]
    found = echoes("pcmu", late[:2000], [Sent(at_ns, 0) for at_ns in sent if at_ns < 39e9], together=5)
    assert [echo.delay_ms for echo in found if echo.sent_ns < 17e9] == pytest.approx([30.0] * 34, abs=0.2)
    assert [echo.delay_ms for echo in found if echo.sent_ns > 20e9] == pytest.approx([360.0] * 38, abs=0.2)


def test_packets_may_come_out_of_order() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    heard[100:140] = heard[139:99:-1]
    assert measure("pcmu", heard, sent).heard == 120


def test_a_burst_that_is_not_heard_is_not_made_up() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    del heard[8:14]
    delay = measure("pcmu", heard, sent)
    assert (delay.sent, delay.heard) == (120, 119)
    assert delay.p95_ms == pytest.approx(37, abs=0.2)


def test_what_was_loud_before_the_first_burst_is_nobodys() -> None:
    heard, sent = stream("pcmu", 37_000_000)
    assert measure("pcmu", heard, sent[1:]).heard == 119
    assert measure("pcmu", [], sent).heard == 0
    assert measure("pcmu", heard, []).p50_ms is None


def test_a_burst_across_packets_is_one() -> None:
    quiet, loud = np.zeros(160, np.int16), np.full(160, 20_000, np.int16)
    edge = np.concatenate([quiet[:150], -loud[:10]])
    assert onsets([quiet] * 5 + [edge, loud, loud] + [quiet] * 5 + [loud], 8000) == [(5, 18_750_000), (13, 0)]
    assert onsets([quiet, loud, quiet, loud], 8000) == [(1, 0)]


def test_a_loud_start_counts_as_a_burst() -> None:
    assert onsets([np.full(160, -32_768, np.int16)], 8000) == [(0, 0)]
