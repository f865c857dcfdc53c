"""Who heard whom: finds each voice in what each caller heard, by signal processing alone.

What a listener heard is compared with what was said, both on the local line of time. Each other voice is aligned by
cross-correlation, one delay for every two seconds, since a jitter buffer may move in the pauses; then the gains of
all other voices together are a least-squares fit. Last, the listener's own voice is looked for in what the fit
leaves over, at every delay an echo could have. Codecs distort and delay, but a gain of about 1 (0 dB) says "heard"
and below -30 dB says "not there".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.caller.codecs import resample
from server.caller.timeline import Sound

RATE: Final = 8000
"""Hz: the band that every codec carries."""
LONGEST_DELAY_S: Final = 0.6
FLOOR_DB: Final = -80.0
_WINDOW_S: Final = 2.0
_WANDER_S: Final = 0.12
"""How far a window's delay may be from that of the whole."""
_PASSES: Final = 2
"""The second time, each voice is aligned with what the first left of the others taken away."""
_REACH_S: Final = LONGEST_DELAY_S + _WANDER_S
_WEAK: Final = 0.03
"""A window with less than this part of a voice's energy takes the delay of the whole."""

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """How much of a talker's voice a listener heard."""

    gain_db: float
    """0: as loud as it was said; `FLOOR_DB`: not at all."""
    delay_s: float
    """From the moment the sound left the talker to the moment it reached the listener."""


Hearing = dict[tuple[str, str], Cell]
"""(listener, talker) → cell."""


def who_heard_whom(said: Mapping[str, Sound], heard: Mapping[str, Sound]) -> Hearing:
    """Fill the whole table, own voices included; names are the keys of both mappings."""
    begin_s = min(sound.starts_at_s for sound in said.values())
    end_s = max(sound.starts_at_s + len(sound.pcm) / sound.rate for sound in said.values())
    seconds = end_s - begin_s + LONGEST_DELAY_S
    spoken = {name: _on_line(sound, begin_s, seconds) for name, sound in said.items()}
    hearing: Hearing = {}
    for listener, sound in heard.items():
        others = {name: voice for name, voice in spoken.items() if name != listener}
        cells, rest = _fit_others(others, _on_line(sound, begin_s, seconds))
        for talker, cell in cells.items():
            hearing[listener, talker] = cell
        if listener in spoken:
            hearing[listener, listener] = _find_echo(spoken[listener], rest)
    return hearing


def _on_line(sound: Sound, begin_s: float, seconds: float) -> Float:
    """The sound at `RATE` from `begin_s` on, silence where it does not reach."""
    pcm = resample(sound.pcm, sound.rate, RATE).astype(np.float64)
    line = np.zeros(round(seconds * RATE))
    offset = round((sound.starts_at_s - begin_s) * RATE)
    first, last = max(0, offset), min(len(line), offset + len(pcm))
    if first < last:
        line[first:last] = pcm[first - offset : last - offset]
    return line


def _fit_others(voices: Mapping[str, Float], heard: Float) -> tuple[dict[str, Cell], Float]:
    """Gain and delay of each of `voices` in `heard`, and what is left of it without them."""
    if not voices:
        return {}, heard
    delays_s = dict.fromkeys(voices, 0.0)
    parts = {name: np.zeros_like(heard) for name in voices}
    for _ in range(_PASSES):
        for name, voice in voices.items():
            without_rest = heard - sum((part for other, part in parts.items() if other != name), np.zeros(1))
            aligned, delays_s[name] = _align(voice, without_rest)
            parts[name] = aligned * _gain(aligned, without_rest)
    matrix = np.stack([parts[name] for name in voices], axis=1)
    factors = np.linalg.lstsq(matrix, heard, rcond=None)[0]
    cells = {}
    for name, factor in zip(voices, factors, strict=True):
        said = float(np.dot(voices[name], voices[name])) + 1e-9
        heard_of_it = float(np.dot(parts[name], parts[name])) * float(factor) ** 2
        gain = np.sqrt(heard_of_it / said) if factor > 0 else 0.0
        cells[name] = Cell(_decibels(float(gain)), delays_s[name])
    return cells, heard - matrix @ factors


def _gain(voice: Float, heard: Float) -> float:
    return max(0.0, float(np.dot(voice, heard)) / (float(np.dot(voice, voice)) + 1e-9))


def _align(voice: Float, heard: Float) -> tuple[Float, float]:
    """Move each window of `voice` to where it is found in `heard`; return that and the mean delay in seconds."""
    whole, _ = _best_delay(voice, heard, 0.0, LONGEST_DELAY_S)
    aligned = np.zeros_like(heard)
    energy = float(np.dot(voice, voice)) + 1e-9
    delay_s = weight = 0.0
    step, reach = round(_WINDOW_S * RATE), round((_WINDOW_S + _REACH_S) * RATE)
    for begin in range(0, len(voice), step):
        where = slice(begin, min(begin + reach, len(voice)))
        part = np.zeros(where.stop - begin)
        words = voice[begin : begin + step]
        part[: len(words)] = words
        share = float(np.dot(words, words)) / energy
        delay = whole
        if share > _WEAK:
            delay, _ = _best_delay(part, heard[where], whole - _WANDER_S, whole + _WANDER_S)
        aligned[where] += _delayed(part, delay)
        delay_s += share * delay
        weight += share
    return aligned, delay_s / weight if weight else whole


def _find_echo(own: Float, rest: Float) -> Cell:
    delay_s, gain = _best_delay(own, rest, 0.0, LONGEST_DELAY_S)
    return Cell(_decibels(gain), delay_s)


def _best_delay(voice: Float, heard: Float, least_s: float, most_s: float) -> tuple[float, float]:
    """Delay in seconds, to a part of a sample, at which `voice` is most in `heard`; and its gain there."""
    size = 1 << (len(heard) + round(_REACH_S * RATE)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(voice, size))
    correlation = np.fft.irfft(spectrum, size)
    lags = np.arange(max(0, round(least_s * RATE)), round(most_s * RATE) + 1)
    peak = int(lags[np.argmax(correlation[lags])])
    before, at, after = (float(correlation[lag % size]) for lag in (peak - 1, peak, peak + 1))
    curve = before - 2 * at + after
    between = 0.5 * (before - after) / curve if curve < 0 else 0.0
    gain = at / (float(np.dot(voice, voice)) + 1e-9)
    return (peak + float(np.clip(between, -0.5, 0.5))) / RATE, gain


def _delayed(voice: Float, delay_s: float) -> Float:
    """`voice` later by any delay, a part of a sample too: a turn of its spectrum's phase."""
    size = 1 << (len(voice) + round(_REACH_S * RATE)).bit_length()
    spectrum = np.fft.rfft(voice, size)
    turn = np.exp(-2j * np.pi * np.arange(len(spectrum)) / size * delay_s * RATE)
    return np.fft.irfft(spectrum * turn, size)[: len(voice)]


def _decibels(gain: float) -> float:
    return max(FLOOR_DB, 20 * float(np.log10(max(gain, 1e-9))))
