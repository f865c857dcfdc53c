"""The default music by measurement: its length, level, seam, band, and that it is music and not noise."""

import numpy as np
import numpy.typing as npt
import pytest

from server.prompts.clip import RATES
from server.prompts.music import DURATION_S, LEVEL_DBOV, PEAK_DBFS, music

Music = dict[int, npt.NDArray[np.int16]]


@pytest.fixture(scope="module")
def piece() -> Music:
    return music(RATES)


def dbov(samples: npt.NDArray[np.int16]) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) / 32768**2))


def power_by_hz(samples: npt.NDArray[np.int16], rate: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    return np.arange(len(power)) * rate / len(samples), power


@pytest.mark.parametrize("rate", RATES)
def test_it_is_quiet_and_whole_ticks_long(piece: Music, rate: int) -> None:
    assert len(piece[rate]) == DURATION_S * rate
    assert 30 <= DURATION_S <= 60
    assert len(piece[rate]) % (rate // 50) == 0
    assert dbov(piece[rate]) == pytest.approx(LEVEL_DBOV, abs=0.3)
    assert 20 * np.log10(np.abs(piece[rate]).max() / 32768) < PEAK_DBFS


@pytest.mark.parametrize("rate", RATES)
def test_the_end_leads_into_the_start(piece: Music, rate: int) -> None:
    samples = piece[rate].astype(np.float64)
    around = np.concatenate([samples[-rate:], samples[:rate]])
    steps, bends = np.abs(np.diff(around)), np.abs(np.diff(around, 3))
    seam = slice(rate - 5, rate + 5)
    assert steps[seam].max() <= np.percentile(steps, 99.9)
    # A click that is no step is a bend: differences of a higher order are loud there and nowhere else.
    assert bends[seam].max() <= np.percentile(bends, 99.9)
    assert dbov(piece[rate][-rate // 10 :]) == pytest.approx(dbov(piece[rate][: rate // 10]), abs=6)


def test_it_never_pauses_nor_jumps_in_level(piece: Music) -> None:
    seconds = [dbov(second) for second in piece[8000].reshape(DURATION_S, -1)]
    assert min(seconds) > LEVEL_DBOV - 4
    assert max(seconds) < LEVEL_DBOV + 3


def test_it_carries_over_a_telephone(piece: Music) -> None:
    hz, power = power_by_hz(piece[48_000], 48_000)
    total = power.sum()
    assert power[(hz >= 300) & (hz < 3400)].sum() > total / 2
    assert power[hz >= 7000].sum() < total / 10_000


def test_every_rate_plays_the_same(piece: Music) -> None:
    wide, narrow = piece[48_000].astype(np.float64), piece[8000].astype(np.float64)
    spectrum = np.fft.rfft(wide)[: len(narrow) // 2]
    same = np.fft.rfft(narrow)[: len(narrow) // 2] * 6
    below_3400 = 3400 * DURATION_S
    difference = np.abs(spectrum - same)[:below_3400]
    assert np.sum(difference**2) < 1e-4 * np.sum(np.abs(spectrum[:below_3400]) ** 2)


def test_its_pitches_are_those_of_d_major(piece: Music) -> None:
    hz, power = power_by_hz(piece[16_000], 16_000)
    heard = (hz > 140) & (hz < 1100)
    pitch = 69 + 12 * np.log2(hz[heard] / 440)
    in_tune = np.abs(pitch - np.rint(pitch)) < 0.25
    scale = np.isin(np.rint(pitch).astype(int) % 12, [2, 4, 6, 7, 9, 11, 1])
    assert power[heard][in_tune & scale].sum() > 0.95 * power[heard].sum()


def test_it_is_the_same_each_time(piece: Music) -> None:
    again = music((8000,))
    assert np.array_equal(again[8000], piece[8000])
