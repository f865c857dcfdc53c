"""Voices without a recording: murmured speech made of harmonics, formants and breath, the same for the same seed.

A voice is a train of glottal pulses, which as a sum is harmonics of a moving pitch, shaped by four moving vocal
tract resonances (formants), with shaped noise for consonants, in a rhythm of about four syllables a second. There
are no words in it, but everything an audio path can spoil is: onsets, pitch, formants, hiss, pauses.

PCM is float32 in int16 units (full scale 32768), `(samples,)`. Nothing here has a licence of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16000
"""Hz; the sound reaches up to 7 kHz."""
PEAK: Final = 16384.0
"""-6 dBFS: two voices at once do not reach full scale."""

Float = NDArray[np.float64]

_CONTROL_HZ: Final = 200
"""How often pitch, formants and loudness are decided; in between they glide."""
_HIGHEST_HZ: Final = 7000.0
_BANDWIDTHS_HZ: Final = (80.0, 100.0, 140.0, 200.0)
_VOWELS_HZ: Final = (
    (730.0, 1090.0, 2440.0, 3400.0),
    (270.0, 2290.0, 3010.0, 3600.0),
    (300.0, 870.0, 2240.0, 3300.0),
    (530.0, 1840.0, 2480.0, 3500.0),
    (570.0, 840.0, 2410.0, 3300.0),
    (660.0, 1720.0, 2410.0, 3500.0),
)
"""Formants of a man's vowels in father, see, boot, bed, law and cat."""
_HISSES_HZ: Final = ((3800.0, 7000.0), (1800.0, 5000.0), (900.0, 7000.0))
"""Bands of s, sh and f."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks."""

    name: str
    pitch_hz: float
    tract: float
    """Formants times this: a shorter vocal tract has higher ones."""
    seed: int


VOICES: Final = (
    Voice("anna", pitch_hz=220.0, tract=1.17, seed=1),
    Voice("ben", pitch_hz=110.0, tract=1.0, seed=2),
    Voice("carla", pitch_hz=155.0, tract=1.1, seed=3),
)

Turns = Sequence[tuple[float, float]]


def speak(voice: Voice, seconds: float, turns: Turns | None = None) -> NDArray[np.float32]:
    """Let `voice` speak for `seconds`, only within `turns` (begin and end in seconds); peak is `PEAK`."""
    rng = np.random.default_rng(voice.seed)
    score = _Score(voice, round(seconds * _CONTROL_HZ) + 1, rng)
    for begin_s, end_s in [(0.0, seconds)] if turns is None else turns:
        _phrase(score, begin_s, min(end_s, seconds), rng)
    samples = round(seconds * RATE)
    sound = _voiced(score, samples) + _hissed(score, samples, rng)
    highest = float(np.max(np.abs(sound), initial=0.0))
    return (sound * (PEAK / highest if highest else 0.0)).astype(np.float32)


def conversation(seconds: float = 8.0) -> dict[str, NDArray[np.float32]]:
    """Three voices that talk in turns, into each other's words, and at last all at once; name → PCM at `RATE`."""
    unit = seconds / 8.0
    turns: dict[str, Turns] = {
        "anna": [(0.1, 2.4), (4.6, 5.4), (6.0, 7.8)],
        "ben": [(2.0, 4.2), (6.2, 7.8)],
        "carla": [(3.8, 6.0), (6.4, 7.8)],
    }
    return {
        voice.name: speak(voice, seconds, [(begin * unit, end * unit) for begin, end in turns[voice.name]])
        for voice in VOICES
    }


class _Score:
    """What to sing: one value of everything for each 5 ms."""

    def __init__(self, voice: Voice, steps: int, rng: np.random.Generator) -> None:
        self.voice = voice
        time_s = np.arange(steps) / _CONTROL_HZ
        drift = _glide(rng.standard_normal(steps), 40)
        sway = 0.06 * np.sin(2 * np.pi * rng.uniform(0.3, 0.5) * time_s + rng.uniform(0, 6))
        self.pitch_hz: Float = voice.pitch_hz * (1 + sway + 0.5 * drift)
        self.formants_hz: Float = np.tile(np.array(_VOWELS_HZ[0]), (steps, 1))
        self.loudness: Float = np.zeros(steps)
        self.hiss: Float = np.zeros((steps, len(_HISSES_HZ)))


def _phrase(score: _Score, begin_s: float, end_s: float, rng: np.random.Generator) -> None:
    """Write syllables into the score; pitch falls to the phrase's end, and every few syllables there is a breath."""
    at_s = begin_s
    first, last = round(begin_s * _CONTROL_HZ), round(end_s * _CONTROL_HZ)
    score.pitch_hz[first:last] *= np.linspace(1.1, 0.85, max(0, last - first))
    until_breath = int(rng.integers(5, 9))
    while True:
        onset_s, vowel_s = rng.uniform(0.05, 0.1), rng.uniform(0.12, 0.22)
        if at_s + onset_s + vowel_s > end_s:
            return
        _syllable(score, at_s, onset_s, vowel_s, rng)
        at_s += onset_s + vowel_s
        until_breath -= 1
        if until_breath == 0:
            at_s += rng.uniform(0.15, 0.25)
            until_breath = int(rng.integers(5, 9))


def _syllable(score: _Score, at_s: float, onset_s: float, vowel_s: float, rng: np.random.Generator) -> None:
    begin, turn, end = (round(t * _CONTROL_HZ) for t in (at_s, at_s + onset_s, at_s + onset_s + vowel_s))
    vowel = _VOWELS_HZ[int(rng.integers(len(_VOWELS_HZ)))]
    score.formants_hz[begin:end] = vowel
    score.loudness[turn:end] = np.hanning(2 * (end - turn) + 1)[end - turn : -1] ** 0.5 * rng.uniform(0.7, 1.0)
    kind = int(rng.integers(len(_HISSES_HZ) + 1))
    if kind < len(_HISSES_HZ):
        score.hiss[begin:turn, kind] = np.hanning(turn - begin + 2)[1:-1] * rng.uniform(0.3, 0.6)
    else:  # a hummed consonant: m, n, l
        score.loudness[begin:turn] = 0.25


def _voiced(score: _Score, samples: int) -> Float:
    """Sum the harmonics: each follows the pitch, and is as loud as the formants let it be."""
    at = np.arange(samples) * _CONTROL_HZ / RATE
    steps = np.arange(len(score.loudness))
    phase = 2 * np.pi * np.cumsum(np.interp(at, steps, score.pitch_hz)) / RATE
    formants_hz = np.stack([_glide(column, 6) for column in score.formants_hz.T], axis=1) * score.voice.tract
    loudness = _glide(score.loudness, 3)
    sound = np.zeros(samples)
    for number in range(1, int(_HIGHEST_HZ / score.pitch_hz.min()) + 1):
        freq_hz = number * score.pitch_hz
        # Pulses of air fall by 12 dB an octave, and lips raise that by 6: harmonic n has 1/n of the first.
        level = loudness * _resonance(freq_hz, formants_hz) / number * (freq_hz < _HIGHEST_HZ)
        sound += np.interp(at, steps, level) * np.cos(number * phase)
    return sound


def _hissed(score: _Score, samples: int, rng: np.random.Generator) -> Float:
    at = np.arange(samples) * _CONTROL_HZ / RATE
    steps = np.arange(len(score.loudness))
    freqs_hz = np.fft.rfftfreq(samples, 1 / RATE)
    sound = np.zeros(samples)
    for kind, (low_hz, high_hz) in enumerate(_HISSES_HZ):
        slope_hz = 300.0
        band = np.clip(np.minimum(freqs_hz - low_hz, high_hz - freqs_hz) / slope_hz, 0, 1)
        noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) * band, samples)
        sound += np.interp(at, steps, _glide(score.hiss[:, kind], 2)) * noise / (np.std(noise) + 1e-12)
    return sound


def _resonance(freq_hz: Float, formants_hz: Float) -> Float:
    """Gain of the vocal tract at `freq_hz` `(steps,)`: four two-pole resonances, each 1 at 0 Hz."""
    gain = np.ones_like(freq_hz)
    for index, bandwidth_hz in enumerate(_BANDWIDTHS_HZ):
        centre = formants_hz[:, index]
        gain *= centre**2 / np.sqrt((centre**2 - freq_hz**2) ** 2 + (bandwidth_hz * freq_hz) ** 2)
    return gain


def _glide(values: Float, steps: int) -> Float:
    """Smooth with a window of `2 * steps + 1`, as muscles do; the ends stay where they are."""
    window = np.hanning(2 * steps + 3)[1:-1]
    padded = np.pad(values, steps, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")
