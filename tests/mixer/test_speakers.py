"""Who speaks: reported once per change, not for noise, not for who cannot be heard; and who is loudest."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mixer.protocol import Levels, MixerConfig, SpeechChanged
from tests.support.conference import VirtualConference, amplitude_at, tone

RATE = 8000


def noise(seconds: float, amplitude: float) -> NDArray[np.int16]:
    return np.random.default_rng(1).normal(0, amplitude, int(seconds * RATE)).astype(np.int16)


def changes(conference: VirtualConference, call_id: str) -> list[bool]:
    return [r.speaking for r in conference.reports if isinstance(r, SpeechChanged) and r.call_id == call_id]


def test_words_with_short_pauses_are_one_speech() -> None:
    conference = VirtualConference()
    word, pause = tone(400, 0.3, RATE), noise(0.2, 10)
    said = np.concatenate([noise(1, 10), *[np.concatenate([word, pause])] * 6, noise(2, 10)])
    talker = conference.add("pcmu", said)
    conference.add("pcmu")
    conference.run(300)
    assert changes(conference, talker.call_id) == [True, False]


def test_steady_noise_and_clicks_are_no_speech() -> None:
    conference = VirtualConference()
    clicks = noise(6, 20)
    clicks[:: RATE // 2] = 20000
    listener = conference.add("pcmu", clicks)
    hum = conference.add("opus", np.repeat(noise(6, 150), 6))
    conference.run(300)
    assert changes(conference, listener.call_id) == []
    assert changes(conference, hum.call_id) == []


def test_who_cannot_be_heard_does_not_speak() -> None:
    conference = VirtualConference()
    talker = conference.add("pcmu", tone(400, 5, RATE))
    conference.run(50)
    assert changes(conference, talker.call_id) == [True]
    conference.update(talker, heard=False)
    conference.run(5)
    assert changes(conference, talker.call_id) == [True, False]
    conference.update(talker, heard=True)
    conference.run(20)
    assert changes(conference, talker.call_id) == [True, False, True]


def test_levels_name_the_loudest_and_stop_when_nobody_speaks() -> None:
    conference = VirtualConference()
    soft = conference.add("pcmu", tone(400, 3, RATE, 2000))
    loud = conference.add("pcmu", tone(600, 3, RATE, 8000))
    conference.run(100)
    levels = [report for report in conference.reports if isinstance(report, Levels)]
    assert levels[-1].active == loud.call_id
    assert abs(levels[-1].calls[soft.call_id] + 27.3) < 0.5
    conference.run(150)
    count = len([report for report in conference.reports if isinstance(report, Levels)])
    conference.run(50)
    assert len([report for report in conference.reports if isinstance(report, Levels)]) == count
    conference.mixer.remove(loud.call_id, bye=False)
    conference.run(10)


def test_in_a_large_conference_senders_of_rfc_6464_levels_say_when_they_need_not_be_decoded() -> None:
    conference = VirtualConference(MixerConfig("test", skip_silent_above=1))
    callers = [conference.add("opus", tone(500, 3, 48000), level_extension_id=3) for _ in range(3)]
    listener = conference.add("opus")
    silent = bytes([0x90, 111]), bytes.fromhex("bede0001 30") + bytes([127, 0, 0])
    for caller in callers[1:]:  # they say -127 dBov, so their tones are never decoded
        plain = caller.packet

        def quiet(plain: Callable[[], bytes | None] = plain) -> bytes | None:
            packet = plain()
            return None if packet is None else silent[0] + packet[2:12] + silent[1] + packet[12:]

        caller.packet = quiet  # type: ignore[method-assign]
    conference.run(100)
    assert abs(amplitude_at(listener.heard()[48000:], 500, 48000) - 3000) < 300, "one of three"
