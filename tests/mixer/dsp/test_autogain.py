"""Automatic gain: slow, only by speech, only by what was, and never further than it may."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.dsp.autogain import DOWN_DB, LEAST_TICKS, MOST_DB, NEAR_DB, TARGET_DBOV, UP_DB, AutoGain
from mixer.dsp.levels import dbov
from mixer.dsp.speech import SpeechDetector
from tests.mixer.dsp.speech import speech

RATE = 8000
Sound = NDArray[np.float32]


def at_level(level_dbov: float, seconds: float, seed: int = 1) -> Sound:
    """A voice whose words have this level."""
    voice = speech(seconds, RATE, seed)
    levels = dbov(voice.reshape(-1, RATE // 50))
    words = levels[levels > levels.max() - 20]
    spoken = 10 * np.log10(np.mean(10 ** (words / 10)))
    return (voice * 10 ** ((level_dbov - spoken) / 20)).astype(np.float32)


def gains(*sounds: Sound) -> NDArray[np.float64]:
    """(ticks, sounds) in dB: the gain after each tick of each."""
    gain, detector = AutoGain(len(sounds)), SpeechDetector(len(sounds))
    for row in range(len(sounds)):
        gain.reset(row)
        detector.reset(row)
    trace = []
    for frames in np.stack(sounds).reshape(len(sounds), -1, RATE // 50).swapaxes(0, 1):
        detector.level_dbov[:] = dbov(frames)
        detector.update(len(sounds), np.ones(len(sounds), bool))
        gain.update(detector.level_dbov, detector.speaking)
        trace.append(20 * np.log10(gain.gain.astype(np.float64)))
    return np.array(trace)


@pytest.mark.parametrize("level_dbov", [-33.0, -29.0, -17.0, -13.0])
def test_a_voice_is_brought_to_the_target_within_seconds(level_dbov):
    trace = gains(at_level(level_dbov, 15))[:, 0]
    assert abs(level_dbov + trace[-1] - TARGET_DBOV) < NEAR_DB + 1.5
    assert abs(trace[-1] - trace[500]) < 2.5  # it was there after ten seconds


def test_soft_and_loud_meet():
    soft, loud = gains(at_level(-32, 15, 1), at_level(-14, 15, 2))[-1]
    assert abs((-32 + soft) - (-14 + loud)) < 2 * (NEAR_DB + 1)


@pytest.mark.parametrize(("level_dbov", "most_db"), [(-41.0, MOST_DB), (-4.0, -MOST_DB)])
def test_gain_is_bounded(level_dbov, most_db):
    trace = gains(at_level(level_dbov, 20))[:, 0]
    assert trace[-1] == pytest.approx(most_db, abs=1e-4)
    assert np.abs(trace).max() <= MOST_DB + 1e-4


def test_it_moves_slowly_and_not_before_it_knows_the_voice():
    trace = gains(at_level(-38, 15), at_level(-8, 15))
    steps = np.diff(trace, axis=0)
    assert steps.max() <= UP_DB + 1e-4
    assert steps.min() >= -DOWN_DB - 1e-4
    assert (trace[:LEAST_TICKS] == 0).all()


def test_who_is_about_right_is_left_alone():
    gain = AutoGain(1)
    gain.reset(0)
    random = np.random.default_rng(1)
    for tick in range(2000):
        level = -60.0 if tick % 25 < 4 else TARGET_DBOV + random.uniform(-1, 1)
        gain.update(np.array([level], np.float32), np.ones(1, bool))
        assert gain.gain[0] == 1.0


def test_a_settled_gain_rests():
    trace = gains(at_level(-30, 40))[:, 0]
    later = trace[1000:]
    assert np.count_nonzero(np.diff(later)) < len(later) / 5
    assert np.ptp(later) < 2


@pytest.mark.parametrize("level_dbov", [-60.0, -40.0, -30.0, -12.0])
def test_noise_and_tones_do_not_move_it(level_dbov):
    random = np.random.default_rng(3)
    size = 10 * RATE
    noise = random.normal(size=size)
    tone = np.sqrt(2) * np.sin(2 * np.pi * 440 * np.arange(size) / RATE)
    amplitude = 32768 * 10 ** (level_dbov / 20)
    trace = gains((amplitude * noise).astype(np.float32), (amplitude * tone).astype(np.float32))
    assert (trace == 0).all()


def test_silence_keeps_what_was_learnt():
    voice, hiss = at_level(-33, 8), np.random.default_rng(1).normal(0, 20, 8 * RATE).astype(np.float32)
    trace = gains(np.concatenate([voice, hiss, np.zeros(RATE, np.float32)]))[:, 0]
    assert trace[400] > 5
    # Half a second of pause still belongs to speech, but holds nothing that stands out.
    assert (trace[405:] == trace[405]).all()


def test_what_comes_later_changes_nothing_before():
    """Look-back only: it needs no sound that is not there yet."""
    first = at_level(-33, 6)
    soft, loud = np.concatenate([first, at_level(-40, 6, 2)]), np.concatenate([first, at_level(-10, 6, 2)])
    one, other = gains(soft, loud).T
    assert np.array_equal(one[:300], other[:300])
    assert one[-1] > other[-1] + 10


def test_rows_do_not_share_anything_and_are_used_again():
    alone = gains(at_level(-33, 6))[:, 0]
    together = gains(at_level(-12, 6, 2), at_level(-33, 6))[:, 1]
    assert np.allclose(alone, together)
    gain = AutoGain(2)
    gain.reset(0)
    gain.reset(1)
    for tick in range(300):
        gain.update(np.full(2, -60 if tick % 10 == 0 else -35, np.float32), np.ones(2, bool))
    moved = gain.gain.copy()
    assert (moved > 1.5).all()
    gain.grow(4)
    gain.reset(2)
    gain.reset(0)
    assert gain.gain[0] == 1.0 and gain.gain[1] == moved[1] and gain.gain[2] == 1.0
    gain.update(np.full(3, -35, np.float32), np.ones(3, bool))
    assert gain.gain[0] == 1.0


def test_no_rows_are_fine():
    AutoGain(0).update(np.zeros(0, np.float32), np.zeros(0, bool))
