"""Opus legs beyond who hears whom: streams that fork and join, and legs that say they are silent."""

import struct
from itertools import pairwise

import numpy as np
import pytest

from mixer.codecs import opus
from mixer.protocol import MixerConfig
from tests.mixer.dsp.speech import speech
from tests.support.conference import Coder, VirtualConference, tone
from tests.support.opus_sender import OpusSender


def test_talker_and_listeners_hear_as_well_as_by_private_encoders_while_he_begins_and_ends() -> None:
    """One speaks all the time; the other for two seconds of every four, so his stream forks and joins again."""
    pesq = pytest.importorskip("pesq").pesq
    conference = VirtualConference()
    steady = np.rint(speech(16, 48_000, seed=3, peak=8000)).astype(np.int16)
    conference.add("l16", steady, rate=48000)
    word = np.rint(speech(2, 48_000, seed=4, peak=8000)).astype(np.int16)
    toggling = conference.add("opus", np.tile(np.concatenate([np.zeros(96_000, np.int16), word]), 4))
    reference = conference.add("l16", rate=48000, receives=False, sends=True)
    conference.run(800)
    sequences = [struct.unpack_from("!H", packet, 2)[0] for packet in toggling.got]
    assert all((b - a) % 65_536 == 1 for a, b in pairwise(sequences))
    # The steady talker as a listener of linear PCM would hear him alone, and the same through one private encoder.
    alone = VirtualConference()
    alone.add("l16", steady, rate=48000)
    ideal = alone.add("l16", rate=48000)
    alone.run(800)
    clean = ideal.heard()
    private = Coder("opus", 48000, {}, None)
    coded = np.concatenate([private.decode(private.encode(frame.astype(np.int16))) for frame in clean.reshape(-1, 960)])

    def score(sound: np.ndarray) -> float:
        return float(pesq(16_000, clean[::3][16_000:], sound[::3][16_000:].astype(np.float32), "wb"))

    assert score(toggling.heard()) > score(coded) - 0.15
    assert len(reference.got) == 800


class Decodes:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        decode = opus.Decoder.decode

        def counted(decoder: opus.Decoder, *arguments: object) -> int:
            self.count += 1
            return int(decode(decoder, *arguments))  # type: ignore[arg-type]

        monkeypatch.setattr(opus.Decoder, "decode", counted)


@pytest.mark.parametrize(("above", "skipped"), [(8, True), (100, False)])
@pytest.mark.parametrize("dtx", [True, False])
def test_legs_that_say_they_are_silent_are_not_decoded_in_large_conferences(
    monkeypatch: pytest.MonkeyPatch, above: int, skipped: bool, dtx: bool
) -> None:
    conference = VirtualConference(MixerConfig("test", skip_silent_above=above))
    noise = np.random.default_rng(1).normal(0, 12, 3 * 48_000).astype(np.int16)
    callers = [conference.add("opus", noise, opus_sender=OpusSender(bitrate=20_000, dtx=dtx)) for _ in range(12)]
    conference.run(100)
    decodes = Decodes(monkeypatch)
    for caller in callers:  # what they decode themselves is not counted: they have been sent it already
        caller.got.clear()
    conference.run(30)
    if skipped:
        assert decodes.count <= 12 * 2
    elif not dtx:
        assert decodes.count == 12 * 30


def test_first_word_after_silence_is_whole() -> None:
    """The first 100 ms of speech reach the listeners as if the leg had been decoded all the time."""
    quiet = np.random.default_rng(1).normal(0, 12, 2 * 48_000).astype(np.int16)
    word = tone(300, 1, 48_000, 9000)

    def heard(above: int) -> np.ndarray:
        conference = VirtualConference(MixerConfig("test", skip_silent_above=above))
        conference.add("opus", np.concatenate([quiet, word]), opus_sender=OpusSender(bitrate=24_000))
        for _ in range(11):
            conference.add("opus")
        listener = conference.add("l16", rate=48000)
        conference.run(160)
        return listener.heard()[96_000:]

    skipping, decoding = heard(8), heard(100)
    begins = int(np.argmax(np.abs(decoding) > 1000))
    first = slice(begins, begins + 4800)
    assert np.abs(decoding[first]).max() > 7000
    error = np.sqrt(np.mean((skipping[first] - decoding[first]) ** 2))
    assert error < 0.1 * np.sqrt(np.mean(decoding[first] ** 2))
