"""Going on by linear prediction: in phase, without a seam, never louder, each row for itself."""

import numpy as np
import pytest

from mixer.dsp.pitch import find_period
from mixer.dsp.prediction import go_on
from tests.mixer.dsp.speech import speech

RATES = pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])


def continued(history: np.ndarray, rate: int, drive: float = 1.0) -> np.ndarray:
    period, _ = find_period(history, rate)
    return go_on(history, period, np.full(len(history), drive, np.float32), rate, rate // 50)


@RATES
@pytest.mark.parametrize("hz", [140.0, 233.0, 371.0])
def test_a_vowel_goes_on_as_it_was(rate: int, hz: float) -> None:
    t = np.arange(rate * 80 // 1000) / rate
    k = np.arange(1, 8)[:, np.newaxis]
    vowel = (4000 / k * np.sin(2 * np.pi * hz * k * t + k)).sum(axis=0).astype(np.float32)
    known = rate * 60 // 1000
    wanted, made = vowel[known:], continued(vowel[np.newaxis, :known], rate)[0]
    assert np.square(wanted - made).sum() < 0.1 * np.square(wanted).sum()
    assert abs(made[0] - vowel[known - 1]) < 1.2 * np.abs(np.diff(vowel)).max()


@RATES
def test_rows_are_independent_and_never_louder_than_they_were(rate: int) -> None:
    voice = speech(1, rate, seed=4)
    history = np.stack([voice[at : at + rate * 60 // 1000] for at in range(0, len(voice) * 9 // 10, rate // 20)])
    together = continued(history, rate)
    assert np.isfinite(together).all()
    assert (np.abs(together).max(axis=1) <= np.abs(history).max(axis=1)).all()
    for row in range(0, len(history), 5):
        assert together[row] == pytest.approx(continued(history[row : row + 1], rate)[0], abs=0.5)


@RATES
def test_silence_goes_on_as_silence(rate: int) -> None:
    assert not continued(np.zeros((2, rate * 60 // 1000), np.float32), rate).any()


def test_less_drive_is_softer() -> None:
    noise = np.random.default_rng(3).normal(0, 1000, (1, 480)).astype(np.float32)
    full, half = continued(noise, 8000), continued(noise, 8000, 0.5)
    assert full.std() == pytest.approx(1000, rel=0.35)
    assert half.std() == pytest.approx(full.std() / 2, rel=0.25)
