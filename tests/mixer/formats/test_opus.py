"""Opus legs that need not be decoded: those that say they are silent, and those that nobody hears."""

import numpy as np
import pytest

from mixer.codecs import opus
from mixer.protocol import MixerConfig
from tests.support.conference import VirtualConference, amplitude_at, tone
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


def test_muted_leg_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decodes, counts = Decodes(monkeypatch), {}
    for skip in (True, False):
        conference = VirtualConference(MixerConfig("test", skip_silent=skip))
        talker = conference.add("opus", tone(400, 3, 48_000))
        conference.add("l16", rate=48_000)
        conference.run(50)
        conference.update(talker, heard=False)
        conference.run(1)  # in which it is faded out
        decodes.count = 0
        conference.run(30)
        counts[skip] = decodes.count
    assert counts == {True: 0, False: 30}


def test_leg_that_only_some_hear_is_decoded_for_them() -> None:
    conference = VirtualConference()
    coach = conference.add("opus", tone(400, 3, 48_000))
    coached, other = conference.add("l16", rate=48_000), conference.add("l16", rate=48_000)
    conference.update(coach, heard=True, heard_by=[coached.call_id])
    conference.run(100)
    levels = [amplitude_at(caller.heard()[48_000:], 400, 48_000) for caller in (coached, other)]
    assert levels[0] > 2500
    assert levels[1] < 5


def test_wait_of_a_muted_leg_is_shortened_all_the_same() -> None:
    conference = VirtualConference()
    talker = conference.add("opus", tone(400, 20, 48_000), phase_ms=5)
    conference.run(100)
    conference.update(talker, heard=False)
    talker.link.hold(conference.now_ns, conference.now_ns + 300_000_000)
    conference.run(800)
    (line,) = [line for line in conference.mixer.stats() if line.call_id == talker.call_id]
    assert line.buffer_ms < 50
