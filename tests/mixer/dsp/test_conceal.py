"""Concealment: better than holes, never a click, gone after 60 ms."""

import numpy as np
import pytest
from pesq import pesq

from mixer.dsp.conceal import HISTORY_MS, conceal, join, patch
from tests.mixer.dsp.speech import speech

RATES = pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])


def play(signals: np.ndarray, lost: np.ndarray, rate: int) -> np.ndarray:
    """What is heard of streams (m, samples) whose frames `lost` (m, frames) bool are missing."""
    samples = rate // 50
    frames = signals.astype(np.float32).reshape(len(signals), -1, samples)
    history = np.zeros((len(signals), rate * HISTORY_MS // 1000), np.float32)
    missed, period = np.zeros(len(signals), np.int32), np.zeros(len(signals), np.int32)
    heard = []
    for i in range(frames.shape[1]):
        frame = frames[:, i].copy()
        if (gone := lost[:, i]).any():
            made, periods = np.full((gone.sum(), samples), np.nan, np.float32), period[gone]
            conceal(history[gone], missed[gone] * samples, periods, rate, made)
            frame[gone], period[gone] = made, periods
        if (back := ~lost[:, i] & (missed > 0)).any():
            joined = frame[back]
            join(history[back], missed[back] * samples, period[back], rate, joined)
            frame[back] = joined
        missed = np.where(lost[:, i], missed + 1, 0)
        history = np.concatenate([history[:, samples:], frame], axis=1)
        heard.append(frame)
    return np.concatenate(heard, axis=1)


def play_one(signal: np.ndarray, lost, rate: int) -> np.ndarray:
    mask = np.zeros((1, len(signal) * 50 // rate), bool)
    mask[0, list(lost)] = True
    return play(signal[np.newaxis], mask, rate)[0]


def tone(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return 8000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)


def snr_db(wanted: np.ndarray, heard: np.ndarray) -> float:
    return float(10 * np.log10((wanted**2).sum() / ((wanted - heard) ** 2).sum()))


def with_holes(signal: np.ndarray, lost: np.ndarray, rate: int) -> np.ndarray:
    return (signal.reshape(-1, rate // 50) * ~lost[:, np.newaxis]).reshape(-1)


@pytest.mark.parametrize(("seed", "share"), [(1, 0.1), (5, 0.05), (5, 0.1), (7, 0.05)])
def test_speech_with_losses_sounds_much_better_than_with_holes(seed, share):
    voice = speech(8, 8000, seed)
    lost = np.random.default_rng(seed).random(400) < share
    lost[:5] = False
    heard = play(voice[np.newaxis], lost[np.newaxis], 8000)[0]
    holes = with_holes(voice, lost, 8000)
    concealed, cut = (pesq(8000, voice / 32768, x / 32768, "nb") for x in (heard, holes))
    assert concealed > cut + 0.5
    assert concealed > 2.8


@RATES
@pytest.mark.parametrize("hz", [150.0, 200.0, 313.0, 440.0])
def test_a_tone_with_5_percent_loss_goes_on(rate, hz):
    sound = tone(hz, rate, 2.0)
    lost = np.arange(100) % 20 == 7
    heard = play(sound[np.newaxis], lost[np.newaxis], rate)[0]
    assert snr_db(sound, heard) > snr_db(sound, with_holes(sound, lost, rate)) + 6


@RATES
def test_the_first_10_ms_are_at_full_level_and_60_ms_later_nothing_is_left(rate):
    sound = tone(200, rate)
    heard = play_one(sound, range(10, 16), rate)
    ms = rate // 1000
    start = 200 * ms
    assert heard[start : start + 10 * ms] == pytest.approx(sound[start : start + 10 * ms], abs=400)
    levels = [heard[start + at * ms : start + (at + 10) * ms].std() for at in range(0, 60, 10)]
    assert (np.diff(levels) < 0).all()
    assert levels == pytest.approx([sound.std() * part for part in (1, 0.9, 0.7, 0.5, 0.3, 0.12)], rel=0.1)
    assert not heard[start + 60 * ms : start + 120 * ms].any()


@RATES
def test_consecutive_frames_continue_in_phase(rate):
    # A period that is no whole number of frames: a restart at each frame would show as a step.
    sound = tone(170, rate)
    heard = play_one(sound, (20, 21, 22), rate)
    assert np.abs(np.diff(heard)).max() < 1.6 * np.abs(np.diff(sound)).max()
    at = slice(rate * 400 // 1000, rate * 440 // 1000)
    fade = np.interp(np.arange(at.stop - at.start) * 1000 / rate, [0, 10, 60], [1, 1, 0])
    assert snr_db(sound[at] * fade, heard[at]) > 12


@RATES
def test_no_click_where_a_loss_starts_and_where_it_ends(rate):
    # A sung vowel without sharp pulses of its own, gliding, so that its continuation is never quite right.
    phase = np.cumsum(2 * np.pi * np.linspace(110, 180, 3 * rate) / rate)
    vowel = sum(3000 / harmonic * np.sin(harmonic * phase) for harmonic in (1, 2, 3, 4))
    lost = np.random.default_rng(5).random(150) < 0.15
    lost[:4] = False
    heard = play(vowel[np.newaxis], lost[np.newaxis], rate)[0]
    edges = np.array([i * rate // 50 for i in range(1, 150) if lost[i] != lost[i - 1]])
    usual = np.abs(np.diff(vowel)).max()
    assert len(edges) > 15
    assert np.abs(np.diff(heard))[edges - 1].max() < 1.5 * usual
    assert np.abs(np.diff(heard)).max() < 2 * usual
    assert np.abs(np.diff(with_holes(vowel, lost, rate)))[edges - 1].max() > 3000


def test_the_first_good_frame_is_faded_in_over_3_ms_and_then_untouched():
    sound = tone(200, 8000)
    sound[20 * 160 :] *= -1  # as wrong as a guess can be
    heard = play_one(sound, (19,), 8000)
    assert not np.array_equal(heard[20 * 160 : 20 * 160 + 24], np.float32(sound[20 * 160 : 20 * 160 + 24]))
    assert np.array_equal(heard[20 * 160 + 24 :], np.float32(sound[20 * 160 + 24 :]))
    assert np.abs(np.diff(heard)).max() < 8000


def test_a_frame_after_a_long_loss_fades_in_from_silence():
    heard = play_one(np.full(8000, 1000.0), range(10, 20), 8000)
    assert not heard[13 * 160 : 20 * 160].any()
    assert 0 < heard[20 * 160] < 20
    assert (np.diff(heard[20 * 160 : 20 * 160 + 25]) > 0).all()
    assert (heard[20 * 160 + 24 :] == 1000).all()


@RATES
def test_rows_are_independent_of_each_other(rate):
    voice = speech(1, rate, seed=2)
    voices = np.stack([voice, voice[::-1], np.roll(voice, rate // 3), np.zeros(rate)]).astype(np.float32)
    lost = np.random.default_rng(9).random((4, 50)) < 0.3
    together = play(voices, lost, rate)
    for row in range(4):
        alone = play(voices[row : row + 1], lost[row : row + 1], rate)[0]
        assert together[row] == pytest.approx(alone, abs=0.5)
    assert np.isfinite(together).all()


@RATES
def test_silence_is_concealed_by_silence(rate):
    assert not play_one(np.zeros(rate), range(5, 9), rate).any()


def test_noise_is_concealed_at_its_own_level():
    noise = np.random.default_rng(10).normal(0, 1000, 8000)
    heard = play_one(noise, (20,), 8000)
    assert heard[3200:3280].std() == pytest.approx(1000, rel=0.35)


def test_the_period_found_is_the_pitch_or_a_multiple():
    for rate in (8000, 16000, 48000):
        history = np.tile(tone(125, rate, 0.06), (1, 1)).astype(np.float32)
        period, out = np.zeros(1, np.int32), np.zeros((1, rate // 50), np.float32)
        conceal(history, np.zeros(1, np.int64), period, rate, out)
        assert period[0] == pytest.approx(rate / 125, abs=1)


def test_a_row_that_fell_silent_without_concealment_can_join():
    frames = np.full((1, 160), 1000, np.float32)
    join(np.zeros((1, 480), np.float32), np.array([1440]), np.zeros(1, np.int32), 8000, frames)
    assert 0 < frames[0, 0] < 20 and (frames[0, 24:] == 1000).all()


@RATES
@pytest.mark.parametrize("hole_ms", [(0, 10), (10, 20), (5, 15)])
def test_hole_inside_a_frame_is_made_up_and_nothing_else_is_touched(rate, hole_ms):
    sound = tone(200, rate).astype(np.float32)
    ms, at = rate // 1000, 20 * rate // 50
    frames = sound[at : at + 20 * ms].copy()[np.newaxis]
    begin, end = hole_ms[0] * ms, hole_ms[1] * ms
    frames[0, begin:end] = 0
    patch(sound[np.newaxis, at - 60 * ms : at], np.zeros(1, int), np.zeros(1, np.int32), rate, frames,
          np.array([[begin, end]]))  # fmt: skip
    whole = sound[at : at + 20 * ms]
    assert np.array_equal(frames[0, :begin], whole[:begin])
    assert snr_db(whole, frames[0]) > 25
    assert np.array_equal(frames[0, end + 3 * ms + 1 :], whole[end + 3 * ms + 1 :])


def test_hole_that_follows_a_loss_goes_on_with_its_fade():
    sound = tone(200, 8000).astype(np.float32)
    history, period, made = sound[np.newaxis, 1600:2080], np.zeros(1, np.int32), np.zeros((1, 160), np.float32)
    conceal(history, np.zeros(1, int), period, 8000, made)
    later = np.concatenate([history[:, 160:], made], axis=1)
    frames = sound[np.newaxis, 2240:2400].copy()
    patch(later, np.array([160]), period, 8000, frames, np.array([[0, 80]]))
    assert frames[0, :70].std() == pytest.approx(sound.std() * 0.7, rel=0.1)
    assert np.array_equal(frames[0, 105:], sound[2345:2400])


def test_no_rows_are_fine():
    empty, none = np.zeros((0, 480), np.float32), np.zeros(0, np.int32)
    conceal(empty, none, none.copy(), 8000, np.zeros((0, 160), np.float32))
    join(empty, none, none.copy(), 8000, np.zeros((0, 160), np.float32))
