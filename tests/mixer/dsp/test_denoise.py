"""Noise suppression at every rate: noise goes, speech stays, nothing of the band is lost and the delay is what it says.

Skipped where the optional package is not installed.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.dsp.denoise import LEVELS, MODULE, Denoiser
from server.caller.codecs import as_int16, resample
from tests.mixer.dsp.speech import speech
from tests.support.quality import pesq

pytest.importorskip(MODULE)

Sound = NDArray[np.float32]
RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])


def denoised(sound: Sound, rate: int, level: str = "medium") -> Sound:
    """As long as `sound` less the delay, and in step with it."""
    denoiser = Denoiser(rate, level)
    out = sound[: len(sound) // (rate // 50) * (rate // 50)].copy()
    for frame in out.reshape(-1, rate // 50):
        denoiser.process(frame, frame)
    return out[denoiser.delay_samples :]


def hiss(size: int, deviation: float = 200, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).normal(0, deviation, size).astype(np.float32)


def quality(rate: int, reference: Sound, heard: Sound) -> float:
    size = min(len(reference), len(heard))
    both = [sound[:size] for sound in (reference, heard)]
    if rate == 8000:
        return pesq(8000, both[0] / 32768, both[1] / 32768, "nb")
    one, other = (resample(as_int16(sound), rate, 16000).astype(np.float32) / 32768 for sound in both)
    return pesq(16000, one, other, "wb")


def in_band(sound: Sound, rate: int, low_hz: int, high_hz: int) -> float:
    """Mean power in dB."""
    power = np.abs(np.fft.rfft(sound)) ** 2 / len(sound)
    return float(10 * np.log10(power[len(sound) * low_hz // rate : len(sound) * high_hz // rate].mean()))


@RATES
@pytest.mark.parametrize(("level", "least_db"), [("low", 5), ("medium", 10), ("high", 14)])
def test_noise_falls(rate, level, least_db):
    noise = hiss(rate * 4)
    left = denoised(noise, rate, level)
    assert 20 * np.log10(noise[2 * rate :].std() / left[2 * rate :].std()) > least_db


@RATES
def test_noisy_speech_gets_better_and_its_pauses_quieter(rate):
    voice = speech(5, rate, seed=2)
    noisy = voice + hiss(len(voice))
    heard = denoised(noisy, rate)
    assert quality(rate, voice, heard) > quality(rate, voice, noisy) + 0.3
    level = np.abs(voice[: len(heard) // 480 * 480]).reshape(-1, 480).max(axis=1)
    pauses = np.repeat(level < 40, 480)
    pauses[: 2 * rate] = False
    before, after = (sound[: len(pauses)][pauses].std() for sound in (noisy, heard))
    assert pauses.sum() > rate / 2
    assert 20 * np.log10(before / after) > 8
    words = ~pauses
    spoken = [sound[: len(words)][words].std() for sound in (voice, heard)]
    assert abs(20 * np.log10(spoken[1] / spoken[0])) < 3


@RATES
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_clean_speech_stays_good(rate, level):
    voice = speech(5, rate, seed=3)
    assert quality(rate, voice, denoised(voice, rate, level)) > 3.5


@RATES
def test_delay_is_what_it_says(rate):
    voice = speech(4, rate, seed=1)
    heard = denoised(voice, rate)
    part = slice(rate, 3 * rate)
    likeness = {shift: float(voice[part] @ np.roll(heard, shift)[part]) for shift in range(-rate // 500, rate // 500)}
    assert abs(max(likeness, key=likeness.__getitem__)) <= 1
    assert Denoiser(rate, "low").delay_samples <= rate // 100


@pytest.mark.parametrize("rate", [24000, 48000])
def test_what_16_khz_cannot_hold_is_kept_and_its_hiss_falls_too(rate):
    voice = speech(5, rate, seed=2)
    heard = denoised(voice, rate)
    assert abs(in_band(heard, rate, 9000, 11500) - in_band(voice, rate, 9000, 11500)) < 2
    noise = hiss(rate * 4)
    left = denoised(noise, rate)[2 * rate :]
    assert in_band(left, rate, 9000, 11500) < in_band(noise, rate, 9000, 11500) - 10


def test_a_wide_voice_is_whole_where_the_two_bands_meet():
    """Tones around 8 kHz come through at one level: the parts fit."""
    rate = 48000
    at = np.arange(rate * 2) / rate
    beat = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * at)  # or it would be noise
    levels = []
    for hz in (6000, 7000, 7900, 8500, 9500, 12000):
        sound = (beat * 6000 * np.sin(2 * np.pi * hz * at) + speech(2, rate)).astype(np.float32)
        levels.append(
            in_band(denoised(sound, rate, "low"), rate, hz - 50, hz + 50) - in_band(sound, rate, hz - 50, hz + 50)
        )
    assert max(levels) < 1
    assert min(levels) > -4


def test_after_a_flush_nothing_of_before_comes_out():
    denoiser = Denoiser(16000, "medium")
    frame = speech(2, 16000).reshape(-1, 320)[40].copy()
    for _ in range(5):
        denoiser.process(frame, np.zeros(320, np.float32))
    denoiser.flush()
    out = np.ones(320, np.float32)
    denoiser.process(np.zeros(320, np.float32), out)
    assert np.abs(out).max() < 0.02 * np.abs(frame).max()


def test_full_scale_and_beyond_does_not_wrap():
    rate = 16000
    loud = (40000 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)).astype(np.float32)
    heard = denoised(loud, rate, "low")
    assert np.abs(heard).max() <= 32768
    assert np.abs(np.diff(heard)).max() < 20000


def test_levels_are_those_that_may_be_set():
    assert list(LEVELS) == ["low", "medium", "high"]
    with pytest.raises(KeyError):
        Denoiser(16000, "off")
    with pytest.raises(ValueError, match="44100"):
        Denoiser(44100, "low")
