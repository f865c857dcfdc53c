"""Callers at full scale: their sum is turned down, never wrapped and never cut off."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import Codec
from tests.support.conference import VirtualConference, amplitude_at, tone

RATES = {"pcmu": 8000, "l16": 48000, "opus": 48000, "g722": 16000}


def plateaus(sound: NDArray[np.float32]) -> int:
    """Longest run of samples at the very top or bottom: what hard clipping leaves."""
    top = np.abs(sound) >= 32_700
    edges = np.flatnonzero(np.diff(np.concatenate(([0], top.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max(initial=0))


@pytest.mark.parametrize("talkers", [2, 5])
@pytest.mark.parametrize("codec", ["pcmu", "opus", "g722"])
def test_full_scale_talkers_neither_wrap_nor_clip(codec: Codec, talkers: int) -> None:
    conference = VirtualConference()
    frequencies = [400.0 + 150 * number for number in range(talkers)]
    for frequency in frequencies:
        conference.add(codec, tone(frequency, 2, RATES[codec], 32_000))
    linear = conference.add("l16", rate=48000)
    conference.run(100)
    for listener in [linear, *conference.callers.values()]:
        sound = listener.heard()[listener.rate // 2 :]
        # A sum that wraps jumps by up to 65 536 from one sample to the next; the sum of these tones cannot.
        steepest = sum(2 * np.pi * frequency / listener.rate for frequency in frequencies) * 32_767
        if listener is linear:
            assert np.abs(sound).max() <= 32_767
            assert np.abs(np.diff(sound)).max() <= steepest
            assert plateaus(sound) <= 3
        heard = [amplitude_at(sound, frequency, listener.rate) for frequency in frequencies]
        others = [level for level in heard if level > 2_000]
        assert len(others) == (talkers if listener is linear else talkers - 1)
        assert max(others) < 1.1 * min(others)


def test_level_goes_on_when_somebody_changes_between_the_shared_mix_and_his_own() -> None:
    """Two shout; a third says a word: what he hears of them must not jump when he begins or ends."""
    conference = VirtualConference()
    for frequency in (400.0, 550.0):
        conference.add("l16", tone(frequency, 6, 16000, 32_000))
    word = np.concatenate([np.zeros(32_000, np.int16), tone(700, 2, 16000, 300), np.zeros(32_000, np.int16)])
    third = conference.add("l16", word)
    conference.run(300)
    sound = third.heard()
    levels = [amplitude_at(sound[at : at + 1600], 400, 16000) for at in range(16_000, 80_000, 320)]
    assert max(levels) < 1.05 * min(levels)
