"""The default music, composed and played here: what is heard while waiting or on hold if no other is asked for.

Decides the piece: sixteen bars in D major at 80 beats a minute, 48 s, soft held chords, a plucked broken chord and a
sparse melody. Written down as notes (`_CHORDS`, `_MELODY`), so it is nobody's recording and needs no licence.

It loops without a seam by construction: all sound is added into a circle, so that what still rings at the end is
heard in the first bar, the reverberation is a circular convolution, and each rate is made of the one spectrum.
Chords and melody lie between 150 and 1 000 Hz, with overtones that still carry the tune at 300-3400 Hz.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]

LEVEL_DBOV: Final = -30.0
"""RMS over the whole piece, at 24 kHz; speech is usually at -26 to -20."""
PEAK_DBFS: Final = -18.0
DURATION_S: Final = 48

_RATE: Final = 24_000
_BEAT_S: Final = 0.75
_BAR_S: Final = 4 * _BEAT_S
_CROSSFADE_S: Final = 1.0
_STRIKE_S: Final = 0.012
_FULL_SCALE: Final = 32768.0

_CHORDS: Final = (
    (50, 57, 61, 64, 66),  # D  major 9
    (47, 57, 59, 62, 66),  # B  minor 7
    (43, 57, 59, 62, 66),  # G  major 9
    (45, 55, 59, 62, 64),  # A  9 suspended
    (54, 57, 62, 64, 69),  # D  over F sharp
    (43, 55, 59, 62, 66),  # G  major 7
    (52, 55, 59, 62, 66),  # E  minor 9
    (45, 55, 59, 62, 64),  # A  9 suspended
    (47, 57, 59, 62, 66),  # B  minor 7
    (43, 57, 59, 62, 66),  # G  major 9
    (50, 57, 61, 64, 66),  # D  major 9
    (45, 55, 57, 62, 64),  # A  7 suspended
    (52, 55, 59, 62, 66),  # E  minor 9
    (54, 57, 61, 64, 66),  # F sharp minor 7
    (43, 57, 59, 62, 66),  # G  major 9
    (45, 55, 59, 62, 64),  # A  9 suspended
)
"""A bar each, as MIDI notes; the lowest is the bass."""

_MELODY: Final = (
    *((0, 78), (2, 76), (3, 74), (4, 71), (7, 74), (8, 78), (9.5, 76), (10, 74), (12, 76)),
    *((16, 81), (18, 78), (19, 76), (20, 83), (22, 81), (24, 78), (25.5, 76), (26, 74), (27, 71), (28, 74), (29, 76)),
    *((32, 78), (34, 74), (36, 71), (37, 74), (38, 76), (40, 78), (41, 81), (44, 83), (45, 81), (46, 76)),
    *((48, 74), (49, 76), (50, 78), (52, 76), (54, 73), (56, 74), (57.5, 71), (58, 69), (60, 71), (61, 74), (62, 76)),
)
"""(beat, MIDI note)."""

_BROKEN_CHORD: Final = (1, 3, 2, 4, 3, 2, 4, 3)
"""Which note of the chord, counted from the bass, each eighth of a bar plucks, an octave up."""

_PAD: Final = (1.0, 0.55, 0.34, 0.2, 0.12, 0.07, 0.04)
_BASS: Final = (1.0, 0.7, 0.45, 0.25, 0.12, 0.05)
_PLUCK: Final = (1.0, 0.4, 0.22, 0.1, 0.05, 0.02)
"""Amplitudes of a timbre's partials."""


def music(rates: Sequence[int]) -> dict[int, npt.NDArray[np.int16]]:
    """Return the piece at each rate: (48 * rate,) int16, whose end leads into its start."""
    circle = _played()
    length = len(circle)
    spectrum = np.fft.rfft(circle) * _room(length)
    spectrum[: 60 * DURATION_S] = 0.0  # nobody hears it, and it would cost level
    circle = np.fft.irfft(spectrum, length)
    circle *= _FULL_SCALE * 10 ** (LEVEL_DBOV / 20) / np.sqrt(np.mean(circle**2))
    spectrum = np.fft.rfft(_eased(circle))
    return {rate: _at_rate(spectrum, length, rate) for rate in rates}


def _played() -> Samples:
    """Play all notes into one circle, (DURATION_S * _RATE,)."""
    circle = np.zeros(DURATION_S * _RATE)
    pads, basses, plucks, tunes = {}, {}, {}, {}
    for bar, chord in enumerate(_CHORDS):
        bass, *notes = chord
        if bass not in basses:
            basses[bass] = 0.35 * _held(bass, _BASS)
        _add(circle, bar * _BAR_S, basses[bass])
        for note in notes:
            if note not in pads:
                pads[note] = 0.42 * (_held(note, _PAD) + 0.3 * _held(note, _PAD, beats_a_bar=2))
            _add(circle, bar * _BAR_S, pads[note])
        for eighth, index in enumerate(_BROKEN_CHORD):
            note = chord[index] + 12
            if note not in plucks:
                plucks[note] = 0.32 * _plucked(note, ring_s=0.5)
            _add(circle, bar * _BAR_S + eighth * _BEAT_S / 2, plucks[note])
    for beat, note in _MELODY:
        if note not in tunes:
            tunes[note] = 0.75 * _plucked(note, ring_s=1.1)
        _add(circle, beat * _BEAT_S, tunes[note])
    return circle


def _held(note: int, partials: Sequence[float], *, beats_a_bar: int = 0) -> Samples:
    """A note that swells as the bar before fades, and fades as the next one swells.

    Its pitch is moved, by at most 2 cents, to a whole number of oscillations a bar, and `beats_a_bar` more of them: a
    note that the next chord has too goes on as if it were one.
    """
    seconds = np.arange(int((_BAR_S + _CROSSFADE_S) * _RATE)) / _RATE
    swell = np.clip(seconds / _CROSSFADE_S, 0.0, 1.0)
    fade = np.clip((_BAR_S + _CROSSFADE_S - seconds) / _CROSSFADE_S, 0.0, 1.0)
    hz = (round(_hz(note) * _BAR_S) + beats_a_bar) / _BAR_S
    shape: Samples = np.sin(np.pi / 2 * swell) ** 2 * np.sin(np.pi / 2 * fade) ** 2
    return _partials(hz, partials, seconds, 0.0) * shape


def _plucked(note: int, *, ring_s: float) -> Samples:
    """A note that is struck softly and rings, its higher partials for less long."""
    seconds = np.arange(int(5 * ring_s * _RATE)) / _RATE
    struck = np.sin(np.pi / 2 * np.clip(seconds / _STRIKE_S, 0.0, 1.0)) ** 2
    shape: Samples = struck * np.clip((seconds[-1] - seconds) / 0.05, 0.0, 1.0)
    return _partials(_hz(note), _PLUCK, seconds, 1 / ring_s) * shape


def _hz(note: int) -> float:
    return float(440.0 * 2 ** ((note - 69) / 12))


def _partials(hz: float, amplitudes: Sequence[float], seconds: Samples, decay_per_s: float) -> Samples:
    """Sum a note's partials; each dies away faster than the one below it."""
    # A power of one oscillation is the next partial: a product is cheaper than another sine.
    first = np.exp(2j * np.pi * hz * seconds)
    turning, total = first.copy(), np.zeros(len(seconds))
    fading, faster = np.exp(-decay_per_s * seconds), np.exp(-decay_per_s * seconds / 1.5)
    for k, amplitude in enumerate(amplitudes):
        # Partials that all began at a zero would add up to peaks that are no louder to the ear.
        phase = 0.01 * hz + 2.4 * k * k
        total += amplitude * fading * (turning.imag * np.cos(phase) + turning.real * np.sin(phase))
        turning *= first
        fading *= faster
    return total


def _add(circle: Samples, at_s: float, sound: Samples) -> None:
    """Add a sound, of at most a circle's length, at a time; what goes beyond the end comes at the start."""
    start = round(at_s * _RATE) % len(circle)
    before_end = min(len(sound), len(circle) - start)
    circle[start : start + before_end] += sound[:before_end]
    circle[: len(sound) - before_end] += sound[before_end:]


def _room(length: int) -> npt.NDArray[np.complex128]:
    """The transfer function of a small hall: the sound itself and noise that fades for two seconds, softly lit."""
    seconds = np.arange(2 * _RATE) / _RATE
    noise = np.random.default_rng(80).random(len(seconds)) - 0.5
    tail = noise * np.exp(-3.4 * seconds) * np.clip((seconds - 0.018) / 0.03, 0.0, 1.0)
    impulse = np.zeros(length)
    impulse[: len(tail)] = 0.35 * tail / np.sqrt(np.sum(tail**2))
    hz = np.arange(length // 2 + 1) * _RATE / length
    transfer: npt.NDArray[np.complex128] = 1.0 + np.fft.rfft(impulse) / (1.0 + (hz / 2500.0) ** 2)
    return transfer


def _eased(circle: Samples) -> Samples:
    """Lower the moments in which everything strikes at once, so that no peak is beyond `PEAK_DBFS`."""
    blocks = circle.reshape(-1, _RATE // 50)
    peaks = np.abs(blocks).max(axis=1)
    around = np.max([np.roll(peaks, shift) for shift in range(-2, 3)], axis=0)
    gains = np.minimum(1.0, _FULL_SCALE * 10 ** ((PEAK_DBFS - 0.3) / 20) / around)
    # A mean of three, of minima over five, is nowhere above what its own block needs.
    gains = (np.roll(gains, 1) + gains + np.roll(gains, -1)) / 3
    middles = (np.arange(len(gains)) + 0.5) * blocks.shape[1]
    eased: Samples = circle * np.interp(np.arange(len(circle)), middles, gains, period=len(circle))
    return eased


def _at_rate(spectrum: npt.NDArray[np.complex128], length: int, rate: int) -> npt.NDArray[np.int16]:
    """Return the circle of this spectrum at a rate, without what the rate cannot carry."""
    samples = DURATION_S * rate
    hz = np.arange(len(spectrum)) / DURATION_S
    # From 85 % of the rate's half: a cut at once would ring.
    carried = np.clip((rate / 2 - hz) / (0.15 * rate / 2), 0.0, 1.0)
    circle: Samples = np.fft.irfft((spectrum * carried)[: samples // 2 + 1], samples) * (samples / length)
    return np.rint(circle).astype(np.int16)
