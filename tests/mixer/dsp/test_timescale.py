"""Time scaling: shorter or longer by whole periods, without a click, a change of pitch or a loss of quality."""

from itertools import cycle

import numpy as np
import pytest

from mixer.dsp.timescale import MORE_MS, is_soft, lengthen, shorten
from tests.mixer.dsp.speech import speech
from tests.support.quality import pesq
from tests.support.voices import speech as voice

RATES = pytest.mark.parametrize("rate", [8000, 16000, 48000])
ALIKE = 0.9


def tone(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def play(
    sound: np.ndarray, rate: int, every: int, kinds: str, most_ms: float = 15, total_ms: float = 1e6
) -> tuple[np.ndarray, list[int]]:
    """`sound` in frames of 20 ms, every so many of them shortened (-) or lengthened (+); and by how much each."""
    frame, more, left = rate // 50, rate * MORE_MS // 1000, round(rate * total_ms / 1000)
    heard, at, moved, kind = [np.zeros(3 * frame, np.float32)], 0, [], cycle(kinds)
    for number in range(10**6):
        if at + frame + more > len(sound):
            break
        window, step = sound[at : at + frame + more].copy(), frame
        most = min(round(rate * most_ms / 1000), left)
        if number % every == every - 1 and left > 0:
            if next(kind) == "-":
                moved.append(-shorten(window, most, ALIKE, rate))
            else:
                part = window[:frame].copy()
                moved.append(lengthen(np.concatenate(heard[-3:]), part, most, ALIKE, rate))
                window[:frame] = part
            step -= moved[-1]
            left -= abs(moved[-1])
        heard.append(window[:frame].copy())
        at += step
    return np.concatenate(heard[1:]), moved


@RATES
@pytest.mark.parametrize("kinds", ["-", "+"])
@pytest.mark.parametrize("hz", [100.0, 200.0, 500.0, 1000.0])
def test_tone_stays_in_phase_whatever_is_dropped_or_added(rate: int, kinds: str, hz: float) -> None:
    heard, moved = play(tone(hz, rate), rate, 5, kinds)
    period = round(rate / hz)
    assert len(moved) >= 8 and all(moved)
    assert all(count % period == 0 for count in moved)
    assert np.abs(heard[period:] - heard[:-period]).max() < 80  # one per cent


@RATES
@pytest.mark.parametrize("kinds", ["-", "+"])
def test_vowel_is_spliced_without_a_click(rate: int, kinds: str) -> None:
    phase = np.cumsum(2 * np.pi * np.linspace(110, 180, 3 * rate) / rate)
    vowel = sum(3000 / harmonic * np.sin(harmonic * phase) for harmonic in (1, 2, 3, 4)).astype(np.float32)
    heard, moved = play(vowel, rate, 5, kinds)
    assert np.count_nonzero(moved) > 15
    assert np.abs(np.diff(heard)).max() < 1.3 * np.abs(np.diff(vowel)).max()


@pytest.mark.parametrize("name", ["anna", "ben", "carla"])
@pytest.mark.parametrize("kinds", ["-", "+"])
def test_speech_that_catches_up_two_ticks_sounds_like_speech_that_does_not(name: str, kinds: str) -> None:
    """PESQ takes delay that changes within a phrase for distortion, so this says more of the splices the fewer are."""
    sound = voice(name, 8.0, 16000)
    scores = []
    for first in (1.0, 2.0, 3.0, 4.5):
        before = sound[: int(first * 16000)]
        heard, moved = play(sound[len(before) - 1600 :], 16000, 5, kinds, 15, total_ms=40)
        assert 30 * 16 < abs(sum(moved)) <= 55 * 16
        whole = np.concatenate([before[:-1600], heard])
        scores.append(pesq(16000, sound / 32768, whole / 32768, "wb"))
    assert np.mean(scores) >= 3.8
    assert min(scores) >= 3.6


def test_what_is_not_alike_is_left_alone() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 16000).astype(np.float32)
    heard, moved = play(noise, 16000, 5, "-+")
    assert not any(moved)
    assert np.array_equal(heard, noise[: len(heard)])


def test_more_is_never_dropped_than_asked_for() -> None:
    sound = speech(4.0, 8000)
    for most_ms in (1.0, 2.5, 4.0, 9.0):
        _, moved = play(sound, 8000, 3, "-", most_ms)
        assert max(map(abs, moved)) <= 8 * most_ms


def test_who_wants_a_little_time_in_sound_gets_a_whole_period() -> None:
    sound = tone(200, 8000)
    frame = sound[480:640].copy()
    assert lengthen(sound[:480], frame, 16, ALIKE, 8000) in (40, 80)
    assert np.abs(np.diff(frame)).max() < 1300


def test_soft_sound_is_moved_by_exactly_what_is_asked_for() -> None:
    hiss = np.random.default_rng(2).normal(0, 40, 35 * 8).astype(np.float32)
    assert is_soft(hiss)
    assert shorten(hiss.copy(), 77, ALIKE, 8000) == 77
    assert shorten(hiss[:200].copy(), 77, ALIKE, 8000) == 40  # no more is there
    assert lengthen(hiss[:160], hiss[160:].copy()[:120], 33, ALIKE, 8000) == 33
    assert shorten(hiss.copy(), 77, ALIKE, 8000, even=True) == 76


def test_what_must_be_spliced_is_spliced_by_as_much_as_may_be() -> None:
    noise = np.random.default_rng(1).normal(0, 3000, 35 * 16).astype(np.float32)
    assert shorten(noise.copy(), 16 * 12, -1.0, 16000) == 16 * 12
