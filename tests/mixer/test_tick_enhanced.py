"""Automatic gain and noise suppression in a whole conference: what the others hear, and what stays as it came in."""

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.dsp.denoise import MODULE
from mixer.dsp.levels import dbov
from mixer.protocol import MixerConfig
from tests.mixer.dsp.speech import speech
from tests.support.conference import Caller, VirtualConference

RATE = 16000
NEEDS_PACKAGE = pytest.mark.skipif(importlib.util.find_spec(MODULE) is None, reason="the package is not installed")


def voice(seconds: float, peak: float, seed: int = 1) -> NDArray[np.int16]:
    return np.rint(speech(seconds, RATE, seed, peak)).astype(np.int16)


def words_dbov(sound: NDArray[np.float32]) -> float:
    """Level of what is not pause."""
    size = len(sound) // 320 * 320
    levels = dbov(np.asarray(sound[:size], np.float32).reshape(-1, 320))
    words = levels[levels > levels.max() - 20]
    return float(10 * np.log10(np.mean(10 ** (words / 10))))


def heard_with(config: MixerConfig, *sounds: NDArray[np.int16]) -> tuple[VirtualConference, Caller]:
    """A conference of callers that say these, and somebody who listens."""
    conference = VirtualConference(config)
    for sound in sounds:
        conference.add("l16", sound, rate=RATE)
    listener = conference.add("l16", rate=RATE)
    return conference, listener


def test_a_soft_and_a_loud_voice_come_out_alike() -> None:
    soft, loud = voice(8, 4000), voice(4, 30000)
    both = [np.concatenate([soft, np.zeros_like(loud)]), np.concatenate([np.zeros_like(soft), loud])]
    conference, listener = heard_with(MixerConfig("test", auto_gain=True), *both)
    conference.run(600)
    heard = listener.heard()
    before = words_dbov(loud.astype(np.float32)) - words_dbov(soft.astype(np.float32))
    after = words_dbov(heard[10 * RATE :]) - words_dbov(heard[6 * RATE : 8 * RATE])
    assert before > 15
    assert abs(after) < 6


def test_recorded_frames_and_levels_are_of_the_voice_as_it_came_in() -> None:
    conference, listener = heard_with(MixerConfig("test", auto_gain=True), voice(8, 1500))
    plain, _ = heard_with(MixerConfig("test"), voice(8, 1500))
    for _ in range(350):
        conference.run(1)
        plain.run(1)
        (table,), (other,) = conference.mixer.tables.values(), plain.mixer.tables.values()
        assert np.array_equal(table.frames[0], other.frames[0])
        assert table.speech.level_dbov[0] == other.speech.level_dbov[0]
    assert table.auto_gain is not None and table.auto_gain.gain[0] > 1.5
    assert words_dbov(listener.heard()[6 * RATE :]) > words_dbov(voice(8, 1500)[6 * RATE :].astype(np.float32)) + 4


def test_gain_that_was_asked_for_comes_on_top() -> None:
    louder, quieter = (heard_with(MixerConfig("test", auto_gain=True), voice(8, 1500)) for _ in range(2))
    louder[0].run(300)
    quieter[0].run(300)
    quieter[0].update(quieter[0].callers["call-0"], gain=0.5)
    for conference, _ in (louder, quieter):
        conference.run(100)
    one, other = (listener.heard()[6 * RATE + 2000 : 8 * RATE] for _, listener in (louder, quieter))
    assert words_dbov(one) - words_dbov(other) == pytest.approx(6.02, abs=0.2)


def test_auto_gain_makes_no_steps_and_adds_no_delay() -> None:
    conference, listener = heard_with(MixerConfig("test", auto_gain=True), voice(8, 1500))
    plain, other = heard_with(MixerConfig("test"), voice(8, 1500))
    conference.run(400)
    plain.run(400)
    got, sent = listener.heard(), other.heard()
    there = np.abs(sent) > 200
    gain = 20 * np.log10(np.abs(got[there]) / np.abs(sent[there]))
    assert gain[-1] > 3
    assert np.abs(np.diff(gain)).max() < 0.15  # rounding to 16 bit included


def test_who_joins_where_somebody_left_begins_at_unity() -> None:
    conference, _ = heard_with(MixerConfig("test", auto_gain=True), voice(6, 1500))
    conference.run(300)
    (table,) = conference.mixer.tables.values()
    assert table.auto_gain is not None and table.auto_gain.gain[0] > 1.2
    conference.mixer.remove("call-0", bye=False)
    del conference.callers["call-0"]
    conference.callers["gone"] = conference.callers["call-1"]  # so that numbers go on
    conference.add("l16", voice(1, 1500), rate=RATE)
    assert table.auto_gain.gain[0] == 1.0


def test_a_table_that_grows_keeps_the_gains() -> None:
    conference, _ = heard_with(MixerConfig("test", auto_gain=True), voice(6, 1500))
    conference.run(300)
    (table,) = conference.mixer.tables.values()
    assert table.auto_gain is not None
    before = float(table.auto_gain.gain[0])
    for _ in range(40):
        conference.add("l16", rate=RATE)
    conference.run(2)
    assert table.auto_gain.gain[0] == pytest.approx(before, abs=0.02)


@NEEDS_PACKAGE
@pytest.mark.parametrize("codec", ["pcmu", "l16", "opus"])
def test_noise_of_others_falls_and_speech_is_heard(codec: str) -> None:
    rate = {"pcmu": 8000, "l16": 16000, "opus": 48000}[codec]
    random = np.random.default_rng(5)
    hiss = random.normal(0, 150, 6 * rate)
    words = speech(6, rate, 1, 9000) * (np.arange(6 * rate) > 3 * rate)
    sound = np.rint(hiss + words).astype(np.int16)
    levels = []
    for level in ("off", "high"):
        conference = VirtualConference(MixerConfig("test", noise_suppression=level))
        conference.add(codec, sound)
        listener = conference.add("l16", rate=48000)
        conference.run(300)
        heard = listener.heard()
        levels.append((dbov(heard[None, 96000:134400])[0], words_dbov(heard[160000:])))
    (noise, spoken), (less, still) = levels
    assert less < noise - 10
    assert abs(still - spoken) < 2


@NEEDS_PACKAGE
def test_what_is_recorded_is_not_denoised() -> None:
    sound = np.rint(np.random.default_rng(5).normal(0, 150, 4 * RATE)).astype(np.int16)
    conference, _ = heard_with(MixerConfig("test", noise_suppression="high"), sound)
    conference.run(150)
    (table,) = conference.mixer.tables.values()
    assert dbov(table.said[:1])[0] < dbov(table.frames[:1])[0] - 10
    assert dbov(table.frames[:1])[0] == pytest.approx(20 * np.log10(150 / 32768), abs=1)


@NEEDS_PACKAGE
def test_nobody_hears_himself_when_voices_are_enhanced() -> None:
    conference = VirtualConference(MixerConfig("test", auto_gain=True, noise_suppression="medium"))
    talker = conference.add("l16", voice(5, 6000), rate=RATE)
    conference.add("l16", rate=RATE)
    conference.run(250)
    assert np.abs(talker.heard()).max() <= 1


def test_without_them_a_mixer_has_neither() -> None:
    conference, _ = heard_with(MixerConfig("test"), voice(1, 1500))
    (table,) = conference.mixer.tables.values()
    assert table.auto_gain is None and table.denoising is None
