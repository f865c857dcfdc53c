import numpy as np
import pytest

from bench.voices import idle, mulaw, mulaw_decoded, opus_decoded, probing, talker_dbov, talking


def silk_share(payload: np.ndarray) -> float:
    """RFC 6716 section 3.1: configurations below 16 have a SILK layer, whose first bit is the voice flag."""
    return float(np.mean(payload[:, 0] >> 3 < 16))


def flagged_share(payload: np.ndarray) -> float:
    return float(np.mean(payload[:, 1] >= 0x80))


def test_mulaw_is_g711() -> None:
    """ITU-T G.711 table 2a: the ends, the smallest steps, and every code kept by decoding and encoding."""
    assert mulaw(np.array([0, 32_767, -32_768, 8, -8], np.int16)).tolist() == [0xFF, 0x80, 0x00, 0xFE, 0x7E]
    codes = np.arange(256, dtype=np.uint8)
    again = mulaw(mulaw_decoded(codes).astype(np.int16))
    assert np.flatnonzero(again != codes).tolist() == [0x7F]  # minus zero
    assert mulaw_decoded(np.array([0x80, 0x00], np.uint8)).tolist() == [32_124, -32_124]


def test_packets_last_20_ms() -> None:
    assert talking("pcmu", 3, seconds=2).payload.shape == (100, 160)
    voice = talking("opus", 3, seconds=2)
    packets = [bytes(row[:n]) for row, n in zip(voice.payload, voice.length.tolist(), strict=True)]
    assert len(packets) == 100
    assert [len(samples) for samples in opus_decoded(packets)] == [960] * 100


@pytest.mark.parametrize("talkers", [3, 50, 100])
def test_an_opus_encoder_takes_talkers_for_speech_and_the_idle_for_noise(talkers: int) -> None:
    assert silk_share(talking("opus", talkers).payload) > 0.95
    assert flagged_share(talking("opus", talkers).payload) > 0.6
    assert flagged_share(probing("opus", talkers).payload) > 0.6
    assert silk_share(idle("opus").payload) == 1
    assert flagged_share(idle("opus").payload) == 0


@pytest.mark.parametrize("talkers", [1, 3, 10, 100, 1000])
def test_all_talkers_together_stay_below_the_bursts(talkers: int) -> None:
    pcm = mulaw_decoded(talking("pcmu", talkers).payload).reshape(-1)
    rng = np.random.default_rng(0)
    together = sum(np.roll(pcm, int(rng.integers(0, len(pcm)))) for _ in range(talkers))
    assert np.abs(together).max() < 13_000
    assert np.abs(mulaw_decoded(probing("pcmu", talkers).payload)).max() > 24_000


def test_levels_are_what_they_are_said_to_be() -> None:
    for talkers in (3, 100):
        pcm = mulaw_decoded(talking("pcmu", talkers).payload)
        assert 20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)) / 32_768) == pytest.approx(
            talker_dbov(talkers), abs=0.5
        )
