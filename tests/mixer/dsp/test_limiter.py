"""The limiter: never above the ceiling, untouched below it, and much cleaner than cutting peaks off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.dsp.limiter import CEILING, limit

RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])


def run(signal: np.ndarray, rate: int) -> tuple[np.ndarray, list[float]]:
    """Limit one stream frame by frame; return it and the gain after each frame."""
    out = signal.astype(np.float32).reshape(-1, 1, rate // 50).copy()
    gain, gains = np.ones(1, np.float32), []
    for frame in out:
        limit(frame, gain, rate)
        gains.append(float(gain[0]))
    return out.reshape(-1), gains


def tone(hz: float, amplitude: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def distortion_db(signal: np.ndarray, rate: int, *tones: int) -> float:
    """Power of everything but the tones, over theirs, in the last second."""
    last = signal[-rate:]
    power = np.abs(np.fft.rfft(last * np.hanning(rate))) ** 2
    wanted = sum(power[hz - 3 : hz + 4].sum() for hz in tones)
    return float(10 * np.log10((power.sum() - wanted) / wanted))


@RATES
def test_rows_that_are_not_too_loud_are_untouched_bit_by_bit(rate):
    frames = np.random.default_rng(2).uniform(-32767, 32767, (6, rate // 50)).astype(np.float32)
    frames[3, :2] = [32767, -32767]
    before, gain = frames.copy(), np.ones(6, np.float32)
    limit(frames, gain, rate)
    assert frames.tobytes() == before.tobytes()
    assert (gain == 1).all()


@RATES
def test_a_loud_row_changes_nothing_for_the_others(rate):
    frames = np.random.default_rng(3).uniform(-32767, 32767, (3, rate // 50)).astype(np.float32)
    frames[1] *= 3
    before, gain = frames.copy(), np.ones(3, np.float32)
    limit(frames, gain, rate)
    assert frames[[0, 2]].tobytes() == before[[0, 2]].tobytes()
    assert gain[1] < 0.5 and (gain[[0, 2]] == 1).all()
    assert np.abs(frames).max() <= CEILING


@RATES
def test_an_overdriven_tone_stays_a_tone(rate):
    loud = tone(440, 65534, rate)
    limited, _ = run(loud, rate)
    assert np.abs(limited).max() <= CEILING
    assert distortion_db(limited, rate, 440) < -60
    assert distortion_db(np.clip(loud, -CEILING, CEILING), rate, 440) > -15
    assert limited[-rate:].std() == pytest.approx(29204 / np.sqrt(2), rel=0.02)


@RATES
def test_two_full_scale_tones_stay_two_tones(rate):
    loud = tone(440, 32767, rate) + tone(700, 32767, rate)
    limited, _ = run(loud, rate)
    assert np.abs(limited).max() <= CEILING
    assert distortion_db(limited, rate, 440, 700) < -40
    assert distortion_db(np.clip(loud, -CEILING, CEILING), rate, 440, 700) > -15


@RATES
def test_no_step_is_made_where_a_loud_sound_starts_and_ends(rate):
    amplitude = np.where((np.arange(rate * 2) > rate * 0.5) & (np.arange(rate * 2) < rate), 50000, 3000)
    sound = tone(300, 1, rate) * amplitude
    limited, gains = run(sound, rate)
    assert np.abs(limited).max() <= CEILING
    assert np.abs(np.diff(limited)).max() <= np.abs(np.diff(sound)).max()
    assert min(gains) == pytest.approx(29204 / 50000, rel=0.01)


def test_no_step_is_made_at_the_edge_of_a_frame_that_ends_near_the_ceiling():
    # The tone is at the ceiling, untouched, when the frame starts that goes beyond it.
    rate, samples = 8000, 160
    steady = np.full(samples, 32700.0)
    growing = 32700 + np.linspace(0, 20000, samples)
    limited, _ = run(np.concatenate([steady, growing]), rate)
    assert np.array_equal(limited[:samples], np.float32(steady))
    edge = np.abs(np.diff(limited))[samples - 1]
    assert edge < 32700 * (1 - 29204 / 52700) / 16 * 1.1  # one step of the ramp, not the width of the knee
    assert np.abs(limited).max() <= CEILING


@RATES
def test_the_gain_comes_back_smoothly_and_the_row_is_free_again(rate):
    burst = np.concatenate([tone(440, 65534, rate, 0.2), tone(440, 9000, rate, 1.8)])
    limited, gains = run(burst, rate)
    lowest = gains.index(min(gains))
    back = np.array(gains[10:])
    assert lowest < 10
    assert (np.diff(back) >= 0).all() and np.diff(back).max() < 0.1
    after_150_ms = 1 - (1 - min(gains)) * np.exp(-1)
    assert gains[9 + 7] < after_150_ms < gains[9 + 8] + 0.01
    assert gains[-1] == 1.0
    assert np.array_equal(limited[-rate // 2 :], burst[-rate // 2 :].astype(np.float32))


@given(
    levels=st.lists(
        st.sampled_from([0.0, 100.0, 20000.0, 32767.0, 32768.0, 40000.0, 200000.0, 7e6]), min_size=1, max_size=8
    ),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_ceiling_holds(levels, seed):
    random = np.random.default_rng(seed)
    gain = np.ones(2, np.float32)
    for level in levels:
        frames = (random.uniform(-1, 1, (2, 160)) * level).astype(np.float32)
        frames[0] = np.sign(frames[0]) * level
        limit(frames, gain, 8000)
        assert np.abs(frames).max() <= CEILING
        assert ((gain > 0) & (gain <= 1)).all()


def test_int16_conversion_after_limiting_never_wraps():
    frames = np.full((1, 160), -32768.0, np.float32)
    limit(frames, np.ones(1, np.float32), 8000)
    assert frames.min() >= -CEILING
    assert (frames.astype(np.int16) < 0).all()


def test_no_rows_are_fine():
    limit(np.zeros((0, 160), np.float32), np.zeros(0, np.float32), 8000)
