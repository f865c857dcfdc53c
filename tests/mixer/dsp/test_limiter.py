"""The limiter: never above the ceiling, untouched below it, and much cleaner than cutting peaks off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixer.dsp.limiter import CEILING, NOW, limit, unity
from tests.mixer.dsp.speech import speech

MOST_RISE_DB = 1.0
"""In a frame: 0.05 dB a millisecond."""

RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])


def run(signal: np.ndarray, rate: int) -> tuple[np.ndarray, list[float]]:
    """Limit one stream frame by frame; return it and the gain after each frame."""
    out = signal.astype(np.float32).reshape(-1, 1, rate // 50).copy()
    gain, gains = unity(1), []
    for frame in out:
        limit(frame, gain, rate)
        gains.append(float(gain[0, NOW]))
    return out.reshape(-1), gains


def tone(hz: float, amplitude: float, rate: int, seconds: float = 2.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def decibels(gains: np.ndarray) -> np.ndarray:
    return 20 * np.log10(gains)


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
    before, gain = frames.copy(), unity(6)
    limit(frames, gain, rate)
    assert frames.tobytes() == before.tobytes()
    assert (gain == 1).all()


@RATES
def test_a_loud_row_changes_nothing_for_the_others(rate):
    frames = np.random.default_rng(3).uniform(-32767, 32767, (3, rate // 50)).astype(np.float32)
    frames[1] *= 3
    before, gain = frames.copy(), unity(3)
    limit(frames, gain, rate)
    assert frames[[0, 2]].tobytes() == before[[0, 2]].tobytes()
    assert gain[1, NOW] < 0.5 and (gain[[0, 2]] == 1).all()
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
    burst = np.concatenate([tone(440, 65534, rate, 0.2), tone(440, 9000, rate, 4.3)])
    limited, gains = run(burst, rate)
    lowest = gains.index(min(gains))
    back = np.array(gains[10:])
    assert lowest < 10
    assert (np.diff(back) >= 0).all() and np.diff(decibels(back)).max() < MOST_RISE_DB
    assert gains[-1] == 1.0
    assert np.array_equal(limited[-rate // 2 :], burst[-rate // 2 :].astype(np.float32))


@RATES
def test_a_bang_is_soon_forgotten(rate):
    """What is no louder than a door does not hush a conference for long."""
    bang = np.concatenate([tone(200, 60000, rate, 0.03), tone(440, 900, rate, 3.97)])
    _, gains = run(bang, rate)
    level = decibels(np.array(gains))
    assert level.min() < -5
    assert level[2 + 10] > -3 and level[2 + 30] > -1
    assert gains[-1] == 1.0


def test_who_speaks_softly_is_not_pumped_by_bursts():
    """A tone lies under something loud that comes twice a second: its level keeps near where the bursts bring it."""
    rate = 16000
    at = np.arange(rate * 8) / rate
    loud = np.where(at % 0.5 < 0.1, 45000, 0) * np.sin(2 * np.pi * 300 * at)
    limited, gains = run(loud + 800 * np.sin(2 * np.pi * 1000 * at), rate)
    assert np.abs(limited).max() <= CEILING
    level = decibels(np.array(gains[100:]))
    assert level.max() - level.min() < 3 and level.std() < 1
    assert np.diff(level).max() < MOST_RISE_DB
    turned = limited * np.exp(-2j * np.pi * 1000 * at)
    heard = decibels(2 * np.abs(turned.reshape(-1, rate // 10).mean(axis=1))[20:] / 800)
    assert heard.max() - heard.min() < 3


def test_who_speaks_softly_is_not_pumped_by_two_who_shout():
    rate = 16000
    shouts = speech(8, rate, seed=1, peak=40000) + speech(8, rate, seed=5, peak=40000)
    limited, gains = run(shouts, rate)
    level = decibels(np.array(gains[50:]))
    assert np.abs(limited).max() <= CEILING
    assert level.min() < -5  # they are too loud by far
    assert level.std() < 1.1
    assert np.abs(np.diff(level)).mean() < 0.25
    assert np.diff(level).max() < MOST_RISE_DB


@RATES
def test_gain_has_fallen_when_a_peak_late_in_the_frame_comes(rate):
    """Nothing has to be bent then, and it takes the time there is: what is heard meanwhile only gets softer."""
    samples = rate // 50
    frame = np.full((1, samples), 3000, np.float32)
    frame[0, samples * 3 // 4] = 60000
    before, gains = frame.copy(), unity(1)
    limit(frame, gains, rate)
    level = decibels(frame[0] / before[0])
    assert level[-1] == pytest.approx(20 * np.log10(29204 / 60000), abs=0.01)
    assert level[samples * 3 // 4] == pytest.approx(level[-1], abs=0.01)
    per_ms = np.diff(level[:: rate // 1000])
    assert (per_ms <= 0).all() and per_ms.min() > -0.9


@given(
    levels=st.lists(
        st.sampled_from([0.0, 100.0, 20000.0, 32767.0, 32768.0, 40000.0, 200000.0, 7e6]), min_size=1, max_size=8
    ),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_the_ceiling_holds(levels, seed):
    random = np.random.default_rng(seed)
    gain = unity(2)
    for level in levels:
        frames = (random.uniform(-1, 1, (2, 160)) * level).astype(np.float32)
        frames[0] = np.sign(frames[0]) * level
        limit(frames, gain, 8000)
        assert np.abs(frames).max() <= CEILING
        assert ((gain > 0) & (gain <= 1)).all()


def test_int16_conversion_after_limiting_never_wraps():
    frames = np.full((1, 160), -32768.0, np.float32)
    limit(frames, unity(1), 8000)
    assert frames.min() >= -CEILING
    assert (frames.astype(np.int16) < 0).all()


def test_no_rows_are_fine():
    limit(np.zeros((0, 160), np.float32), unity(0), 8000)
