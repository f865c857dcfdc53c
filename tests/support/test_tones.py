import numpy as np
import pytest

from tests.support.tones import FLOOR_DBFS, dbfs, hears, level_at, level_dbfs, rms, tone, tone_frequencies


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_level_is_the_amplitude_of_the_tone(rate: int) -> None:
    sound = tone(440, 0.5, rate, 8000)
    assert level_at(sound, rate, 440) == pytest.approx(8000, rel=1e-3)
    assert level_dbfs(sound, rate, 440) == pytest.approx(dbfs(8000))
    assert rms(sound) == pytest.approx(8000 / np.sqrt(2), rel=1e-3)


def test_phase_and_type_do_not_matter() -> None:
    sound = tone(1000, 0.5, 8000, 5000, phase=1.2)
    assert level_at(sound.astype(np.int16), 8000, 1000) == pytest.approx(5000, rel=1e-3)


@pytest.mark.parametrize("count", [2, 8, 12, 24])
def test_talkers_are_told_apart(count: int) -> None:
    freqs = tone_frequencies(count)
    assert len(set(freqs)) == count
    assert max(freqs) < 3400
    talking = set(freqs[::2])
    mix = sum((tone(freq, 1.0, 8000, 1000) for freq in talking), np.zeros(8000, np.float32))
    assert hears(mix, 8000, freqs, at_least=500) == {freq: freq in talking for freq in freqs}
    for freq in set(freqs) - talking:
        assert level_at(mix, 8000, freq) < 10


def test_silence_has_a_floor() -> None:
    assert level_dbfs(np.zeros(800, np.int16), 8000, 440) == FLOOR_DBFS
    with pytest.raises(ValueError, match="no sound"):
        level_at(np.zeros(0, np.int16), 8000, 440)


@pytest.mark.parametrize("count", [0, 25])
def test_refuses_more_talkers_than_fit(count: int) -> None:
    with pytest.raises(ValueError, match="1 to 24"):
        tone_frequencies(count)
