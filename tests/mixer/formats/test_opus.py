"""Opus legs that need not be decoded: those that say they are silent, and those that nobody hears."""

import numpy as np
import pytest

from mixer.codecs import opus
from mixer.protocol import MixerConfig
from tests.support.conference import VirtualConference, tone
from tests.support.opus_sender import OpusSender


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
