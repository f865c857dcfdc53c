"""A voice for tests: pulses of a gliding pitch through moving formants, with hiss and pauses, from a seed."""

from functools import cache

import numpy as np


def _resonator(x: np.ndarray, hz: np.ndarray, bandwidth_hz: float, rate: int) -> np.ndarray:
    """Two-pole filter whose frequency moves with the sample."""
    radius = np.exp(-np.pi * bandwidth_hz / rate)
    first = (2 * radius * np.cos(2 * np.pi * hz / rate)).tolist()
    second = radius * radius
    before, last, out = 0.0, 0.0, []
    for sample, coefficient in zip(x.tolist(), first, strict=True):
        before, last = last, sample + coefficient * last - second * before
        out.append(last)
    return np.array(out) * (1 - radius)


@cache
def speech(seconds: float, rate: int = 8000, seed: int = 1, peak: float = 12_000.0) -> np.ndarray:
    """Return (seconds * rate,) float32 in int16 units, read-only: syllables of 120 to 260 ms, one in four a pause."""
    random = np.random.default_rng(seed)
    size = int(seconds * rate)
    pitch, loud, hiss = np.zeros(size), np.zeros(size), np.zeros(size)
    formants = np.zeros((3, size))
    at, voiced = 0, 0
    while at < size:
        n = min(int(rate * random.uniform(0.12, 0.26)), size - at)
        part = slice(at, at + n)
        envelope = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.03 * rate))
        pitch[part] = np.linspace(*random.uniform(95, 190, 2), n)
        for formant, (low, high) in zip(formants, ((300, 800), (900, 2200), (2300, 3200)), strict=True):
            formant[part] = np.linspace(*random.uniform(low, high, 2), n)
        kind = voiced % 4
        voiced += 1
        loud[part] = envelope * (kind != 3) * random.uniform(0.5, 1.0)
        hiss[part] = envelope * (0.15 if kind == 2 else 0.01) * (kind != 3)
        at += n
    phase = np.cumsum(pitch / rate)
    pulses = np.diff(np.floor(phase), prepend=0.0) * loud * (rate / 100)
    sound = pulses + random.normal(size=size) * hiss
    for formant, bandwidth_hz in zip(formants, (70.0, 110.0, 160.0), strict=True):
        sound = 0.3 * sound + _resonator(sound, formant, bandwidth_hz, rate)
    sound += random.normal(size=size) * np.abs(sound).max() * 3e-4
    voice = (sound * (peak / np.abs(sound).max())).astype(np.float32)
    voice.flags.writeable = False
    return voice
