"""Who hears whom: eight callers of every format in one conference, told apart by their tones."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import MixerConfig
from tests.support.conference import Caller, VirtualConference, amplitude_at, matrix, tone
from tests.support.network import Conditions
from tests.support.opus_sender import OpusSender

FORMATS = (
    ("pcmu", 8000),
    ("pcma", 8000),
    ("g722", 16000),
    ("opus", 48000),
    ("opus stereo", 48000),
    ("l16", 8000),
    ("l16", 16000),
    ("l16", 24000),
    ("l16", 48000),
)
LOUD = 3000.0
FREQUENCIES = [410.0 + 150 * index for index in range(len(FORMATS))]
SECONDS = 4.0


def callers_of_every_format(
    conference: VirtualConference, conditions: Conditions | None = None, legs: Sequence[dict[str, object]] = ()
) -> list[Caller]:
    callers = []
    for index, (name, rate) in enumerate(FORMATS):
        stereo = name == "opus stereo"
        callers.append(
            conference.add(
                name.split()[0],  # type: ignore[arg-type]
                tone(FREQUENCIES[index], SECONDS, rate, LOUD),
                rate=rate,
                conditions=conditions,
                opus_sender=OpusSender(channels=2, application="audio", bitrate=96_000) if stereo else None,
                **(legs[index] if legs else {}),
            )
        )
    return callers


# An Opus encoder's own noise between so many tones is up to 3 % of one of them at a single frequency.
OWN = 0.04


def check(found: NDArray[np.float64], expected: NDArray[np.float64], least: float, most: float, own: float) -> None:
    """Every cell: what is expected times `least` to `most`; where 0 is expected, no more than `own` of a talker."""
    wrong = [
        (FORMATS[i][0], FORMATS[j][0], round(found[i, j]), round(expected[i, j]))
        for i, j in np.ndindex(found.shape)
        if not (
            found[i, j] < own * LOUD
            if expected[i, j] == 0
            else least * expected[i, j] < found[i, j] < most * expected[i, j]
        )
    ]
    assert wrong == []


def everyone_but_himself() -> NDArray[np.float64]:
    return LOUD * (1 - np.eye(len(FORMATS)))


def test_everyone_hears_all_others_at_their_level_and_not_himself() -> None:
    conference = VirtualConference()
    callers = callers_of_every_format(conference)
    conference.run(150)
    check(matrix(callers, FREQUENCIES), everyone_but_himself(), 0.97, 1.03, OWN)


@pytest.mark.parametrize(
    ("conditions", "least"),
    [
        (Conditions(loss=0.02, reorder=0.02, duplicate=0.02, jitter_ms=5), 0.94),
        (Conditions(loss=0.10, reorder=0.05, duplicate=0.10, duplicate_ms=50, jitter_ms=15), 0.85),
    ],
)
def test_everyone_is_heard_over_bad_links(conditions: Conditions, least: float) -> None:
    conference = VirtualConference()
    callers = callers_of_every_format(conference, conditions)
    conference.run(180)
    check(matrix(callers, FREQUENCIES, skip_s=1.0), everyone_but_himself(), least, 1.03, 0.06)


def test_nobody_hears_one_who_is_not_heard_and_gains_are_exact() -> None:
    gains = [1.0, 0.5, 0.25, 1.0, 2.0, 1.0, 0.1, 1.0, 0.0]
    heard = [True, True, True, False, True, False, True, True, True]
    conference = VirtualConference()
    legs = [{"gain": gain, "heard": is_heard} for gain, is_heard in zip(gains, heard, strict=True)]
    callers = callers_of_every_format(conference, legs=legs)
    conference.run(150)
    expected = everyone_but_himself() * np.array(gains) * np.array(heard)
    check(matrix(callers, FREQUENCIES), expected, 0.96, 1.04, 0.05)


def test_one_who_does_not_hear_is_sent_silence_and_is_heard() -> None:
    deaf = [index % 2 == 1 for index in range(len(FORMATS))]
    conference = VirtualConference()
    callers = callers_of_every_format(conference, legs=[{"hears": not is_deaf} for is_deaf in deaf])
    conference.run(150)
    expected = everyone_but_himself() * ~np.array(deaf)[:, np.newaxis]
    check(matrix(callers, FREQUENCIES), expected, 0.97, 1.03, OWN)
    for caller, is_deaf in zip(callers, deaf, strict=True):
        if is_deaf:
            assert np.abs(caller.heard()[caller.rate // 10 :]).max() <= 8  # A-law's silence


@pytest.mark.parametrize(("talking", "rate"), FORMATS[:4])
@pytest.mark.parametrize("listening", ["pcmu", "g722", "opus"])
def test_updates_take_effect_at_once_and_without_a_click(talking: str, rate: int, listening: str) -> None:
    conference = VirtualConference()
    talker = conference.add(talking, tone(410, 4, rate, 8000))  # type: ignore[arg-type]
    listener = conference.add(listening)  # type: ignore[arg-type]
    conference.run(50)
    ticks = {"mute": 50, "unmute": 75, "quieter": 100, "deaf": 125, "hearing": 150}
    conference.update(talker, heard=False)
    conference.run(25)
    conference.update(talker, heard=True)
    conference.run(25)
    conference.update(talker, gain=0.5)
    conference.run(25)
    conference.update(listener, hears=False)
    conference.run(25)
    conference.update(listener, hears=True)
    conference.run(25)
    sound, frame = listener.heard(), listener.rate // 50

    def level(what: str, frequency: float = 410) -> float:
        begins = (ticks[what] + 3) * frame
        return amplitude_at(sound[begins : begins + 20 * frame], frequency, listener.rate)

    assert level("mute") < 80
    assert level("unmute") == pytest.approx(8000, rel=0.04)
    assert level("quieter") == pytest.approx(4000, rel=0.04)
    assert level("deaf") < 80
    assert level("hearing") == pytest.approx(4000, rel=0.04)
    # A tone of 410 Hz at 8000 moves this much from one sample to the next; a click would be a step beyond it.
    steepest = 8000 * 2 * np.pi * 410 / listener.rate
    muting = sound[(ticks["mute"] - 2) * frame : (ticks["quieter"] + 3) * frame]
    assert np.abs(np.diff(muting)).max() < 1.25 * steepest + 100


def test_muted_row_and_gone_row_leave_the_others_as_they_are() -> None:
    conference = VirtualConference(MixerConfig("test"))
    talker = conference.add("pcmu", tone(410, 4, 8000))
    muted = conference.add("pcmu", tone(560, 4, 8000), heard=False)
    listener = conference.add("pcmu")
    conference.run(50)
    conference.mixer.remove(muted.call_id, bye=False)
    conference.run(50)
    sound = listener.heard()[4000:]
    assert amplitude_at(sound, 410, 8000) == pytest.approx(3000, rel=0.02)
    assert amplitude_at(sound, 560, 8000) < 10
    assert amplitude_at(talker.heard(), 560, 8000) < 10
