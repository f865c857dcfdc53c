import numpy as np
import pytest

from server.caller.codecs import CODEC_NAMES
from server.loadtest.voices import Voice, decoded, idle, probing, talker_dbov, talking


def silk_share(payload: np.ndarray) -> float:
    """RFC 6716 section 3.1: configurations below 16 have a SILK layer, whose first bit is the voice flag."""
    return float(np.mean(payload[:, 0] >> 3 < 16))


def flagged_share(payload: np.ndarray) -> float:
    return float(np.mean(payload[:, 1] >= 0x80))


def pcm_of(codec: str, voice: Voice) -> list[np.ndarray]:
    return decoded(codec, [bytes(row[:n]) for row, n in zip(voice.payload, voice.length.tolist(), strict=True)])


@pytest.mark.parametrize("codec", CODEC_NAMES)
def test_packets_last_20_ms(codec: str) -> None:
    voice = talking(codec, 3, seconds=2)
    samples = pcm_of(codec, voice)
    rate = {"pcmu": 8000, "pcma": 8000, "g722": 16_000, "l16": 16_000, "opus": 48_000}[codec]
    assert [len(packet) for packet in samples] == [rate // 50] * 100


def test_a_packet_that_makes_no_sense_is_no_samples() -> None:
    assert [len(samples) for samples in decoded("l16", [b"abcd", b"a"])] == [2, 0]


@pytest.mark.parametrize("talkers", [3, 50, 100])
def test_an_opus_encoder_takes_talkers_for_speech_and_the_idle_for_noise(talkers: int) -> None:
    assert silk_share(talking("opus", talkers).payload) > 0.95
    assert flagged_share(talking("opus", talkers).payload) > 0.6
    assert flagged_share(probing("opus", talkers).payload) > 0.6
    assert silk_share(idle("opus").payload) == 1
    assert flagged_share(idle("opus").payload) == 0


@pytest.mark.parametrize("talkers", [1, 3, 10, 100, 1000])
def test_all_talkers_together_stay_below_the_bursts(talkers: int) -> None:
    pcm = np.concatenate(pcm_of("pcmu", talking("pcmu", talkers))).astype(np.int32)
    rng = np.random.default_rng(0)
    together = sum(np.roll(pcm, int(rng.integers(0, len(pcm)))) for _ in range(talkers))
    assert np.abs(together).max() < 13_000
    assert np.abs(np.concatenate(pcm_of("pcmu", probing("pcmu", talkers))).astype(np.int32)).max() > 24_000


def test_levels_are_what_they_are_said_to_be() -> None:
    for talkers in (3, 100):
        pcm = np.concatenate(pcm_of("pcmu", talking("pcmu", talkers)))
        assert 20 * np.log10(np.sqrt(np.mean(pcm.astype(float) ** 2)) / 32_768) == pytest.approx(
            talker_dbov(talkers), abs=0.5
        )
