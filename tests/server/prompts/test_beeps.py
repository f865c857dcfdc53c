"""The enter and leave tones by measurement."""

import numpy as np
import numpy.typing as npt
import pytest

from server.prompts.beeps import BEEPS, DURATION_MS, LEVEL_DBOV, BeepName, beep
from server.prompts.clip import RATES
from tests.server.prompts.files import peak_hz


def notes_hz(samples: npt.NDArray[np.int16], rate: int) -> tuple[float, float]:
    half = len(samples) // 2
    first, second = (np.concatenate([part, np.zeros(9 * half)]) for part in (samples[:half], samples[half:]))
    return peak_hz(first, rate), peak_hz(second, rate)


@pytest.mark.parametrize("rate", RATES)
def test_one_rises_and_the_other_falls(rate: int) -> None:
    low, high = notes_hz(beep("enter", RATES)[rate], rate)
    assert high > 1.3 * low
    assert notes_hz(beep("leave", RATES)[rate], rate) == pytest.approx((high, low), abs=5)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", BEEPS)
def test_they_are_short_and_of_one_level(name: BeepName, rate: int) -> None:
    samples = beep(name, RATES)[rate]
    assert len(samples) == DURATION_MS * rate // 1000
    assert DURATION_MS <= 250
    power = np.mean(samples.astype(np.float64) ** 2)
    assert 10 * np.log10(power / 32768**2) == pytest.approx(LEVEL_DBOV, abs=0.05)


@pytest.mark.parametrize("name", BEEPS)
def test_they_begin_and_end_without_a_click(name: BeepName) -> None:
    samples = beep(name, RATES)[48_000].astype(int)
    loudest = np.abs(samples).max()
    half_ms = 24
    for edge in (samples[:half_ms], samples[-half_ms:], samples[len(samples) // 2 - 12 :][:half_ms]):
        assert np.abs(edge).max() < loudest / 20
