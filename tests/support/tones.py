"""Tones and how to find them: a talker is a frequency, so *who hears whom* is a line of a spectrum.

PCM is float32 in int16 units (full scale 32768) or int16, `(samples,)`; amplitudes are linear in the same
units.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.float32] | NDArray[np.int16]

FULL_SCALE = 32768.0
FLOOR_DBFS = -120.0


def tone(
    freq_hz: float, seconds: float, rate: int, amplitude: float = 4000.0, *, phase: float = 0.0
) -> NDArray[np.float32]:
    """A sine of `amplitude` (its peak), beginning at `phase` radians."""
    time_s = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * freq_hz * time_s + phase)).astype(np.float32)


def tone_frequencies(count: int, rate: int = 8000) -> list[float]:
    """Frequencies for 1 to 24 talkers, from 410 Hz up, at most 150 Hz apart, within four fifths of the band.

    All are multiples of 10 Hz, so that any 100 ms hold whole periods.
    """
    if not 1 <= count <= 24:
        raise ValueError(f"1 to 24 talkers, not {count}")
    spacing = 10 * int(min(150.0, (rate * 0.4 - 410) / max(1, count - 1)) // 10)
    return [410.0 + spacing * index for index in range(count)]


def level_at(pcm: Pcm, rate: int, freq_hz: float) -> float:
    """Amplitude of the sine at `freq_hz` in `pcm`, linear (a tone of amplitude A gives A).

    A Hann window keeps what the other talkers say out of the figure: 4 / length Hz away it lets less than
    -50 dB through. ValueError for an empty sound.
    """
    samples = np.asarray(pcm, dtype=np.float64)
    if not len(samples):
        raise ValueError("there is no sound to look at")
    window = np.hanning(len(samples))
    turn = np.exp(-2j * np.pi * freq_hz / rate * np.arange(len(samples)))
    return float(2 * abs(np.dot(samples * window, turn)) / max(window.sum(), 1e-9))


def level_dbfs(pcm: Pcm, rate: int, freq_hz: float) -> float:
    """`level_at` in dB of full scale (a sine that just reaches 32768 is 0), not below `FLOOR_DBFS`."""
    return dbfs(level_at(pcm, rate, freq_hz))


def dbfs(amplitude: float) -> float:
    """A linear amplitude in dB of full scale, not below `FLOOR_DBFS`."""
    return max(FLOOR_DBFS, 20 * float(np.log10(max(amplitude, 1e-12) / FULL_SCALE)))


def rms(pcm: Pcm) -> float:
    """Root mean square, linear; 0 for an empty sound."""
    samples = np.asarray(pcm, dtype=np.float64)
    return float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0


def hears(pcm: Pcm, rate: int, freqs: Iterable[float], *, at_least: float = 400.0) -> dict[float, bool]:
    """For each frequency, whether there is a tone of it of at least this amplitude."""
    return {freq: level_at(pcm, rate, freq) >= at_least for freq in freqs}
