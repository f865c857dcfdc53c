import numpy as np
import pytest

from recording.limiting import Limiter
from tests.recording.making import tone


def limited(sound: np.ndarray, rate: int = 8000, piece: int = 8000) -> np.ndarray:
    limiter = Limiter(rate)
    return np.concatenate(
        [*(limiter.process(sound[at : at + piece]) for at in range(0, sound.size, piece)), limiter.flush()]
    )


def loud(factor: float) -> np.ndarray:
    quiet = np.concatenate([tone(tick, 8000, 440.0, 15_000.0) for tick in range(200)]).astype(np.float32)
    quiet[9000:12_345] *= factor
    return quiet


def test_what_fits_passes_bit_by_bit_and_in_place() -> None:
    sound = loud(2.0)
    assert np.array_equal(limited(sound), sound)


@pytest.mark.parametrize("factor", [2.5, 10.0, 100.0])
def test_what_does_not_fit_is_turned_down_and_nothing_else(factor: float) -> None:
    sound = loud(factor)
    out = limited(sound)
    assert out.shape == sound.shape
    assert np.abs(out).max() <= 32_767.0
    assert np.abs(out[9000:12_300]).max() > 32_000
    assert np.array_equal(out[: 9000 - 80], sound[: 9000 - 80])
    assert np.array_equal(out[12_345 + 1600 :], sound[12_345 + 1600 :])


def test_where_pieces_end_makes_no_difference() -> None:
    sound = loud(7.0)
    assert np.array_equal(limited(sound, piece=8000), limited(sound, piece=40))


def test_noise_of_any_loudness_never_sticks_out() -> None:
    rng = np.random.default_rng(3)
    sound = (rng.normal(0, 20_000, 40_000) * rng.uniform(0, 4, 1000).repeat(40)).astype(np.float32)
    assert np.abs(limited(sound)).max() <= 32_767.0
