"""Programs, announcements, beeps and whispers, by sound: who hears which tone, and who does not."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import ClipEnded, Codec, PlayClip, ProgramEnded
from tests.support.clips import lend_tone
from tests.support.conference import RATES, Caller, VirtualConference, amplitude_at, tone

MUSIC, BEEP, WORDS = 2000.0, 2400.0, 2900.0
VOICES = (410.0, 730.0, 1050.0, 1370.0)
CODECS: tuple[Codec, ...] = ("pcmu", "g722", "opus", "l16")
LOUD, QUIET = 2600.0, 120.0


def meeting() -> tuple[VirtualConference, list[Caller]]:
    """Four talkers in four formats and a listener, everything lent that may be played."""
    conference = VirtualConference()
    callers = [conference.add(codec, tone(f, 20, RATES[codec])) for codec, f in zip(CODECS, VOICES, strict=True)]
    callers.append(conference.add("pcma"))
    lend_tone(conference.mixer.clips, "music", MUSIC, 3)
    lend_tone(conference.mixer.clips, "beep", BEEP, 0.2)
    lend_tone(conference.mixer.clips, "words", WORDS, 1)
    conference.run(50)
    return conference, callers


def heard(
    conference: VirtualConference, callers: Sequence[Caller], ticks: int, settle: int = 15
) -> NDArray[np.float64]:
    """(callers, tones): amplitudes during the next ticks, the first of them left out."""
    before = len(callers[0].got)
    conference.run(ticks)
    rows = []
    for caller in callers:
        sound = caller.heard()[(before + settle) * caller.rate // 50 : (before + ticks) * caller.rate // 50]
        rows.append([amplitude_at(sound, f, caller.rate) for f in (*VOICES, MUSIC, BEEP, WORDS)])
    return np.array(rows)


def test_who_is_held_hears_only_his_music_and_comes_back_on_one_tick() -> None:
    conference, callers = meeting()
    held = [callers[0], callers[2]]
    for caller in held:
        conference.update(caller, heard=False, hears=False)
        assert conference.mixer.play_program(caller.call_id, "music", True) == ""
    levels = heard(conference, callers, 60)
    for caller in (0, 2):
        assert levels[caller, 4] > LOUD, "music"
        assert (levels[caller, :4] < QUIET).all()
    for caller in (1, 3, 4):
        assert levels[caller, 4] < QUIET, "nobody else hears the music"
        assert (levels[caller, [0, 2]] < QUIET).all(), "nor who is held"
    for caller in held:
        conference.update(caller, heard=True, hears=True)
    levels = heard(conference, callers, 60)
    assert (levels[:, 4] < QUIET).all()
    assert (levels[:, :4][~np.eye(5, 4, dtype=bool)] > LOUD).all()


@pytest.mark.parametrize("codec", ["pcmu", "g722", "opus", "l16"])
def test_everyone_hears_a_program_from_its_start(codec: Codec) -> None:
    conference = VirtualConference()
    lend_tone(conference.mixer.clips, "once", MUSIC, 0.5)
    early = conference.add(codec, hears=False)
    assert conference.mixer.play_program(early.call_id, "once", False) == ""
    conference.run(10)
    late = conference.add(codec, hears=False)
    assert conference.mixer.play_program(late.call_id, "once", False) == ""
    conference.run(40)
    ended = [report for report in conference.reports if isinstance(report, ProgramEnded)]
    assert [report.call_id for report in ended] == [early.call_id, late.call_id]
    first, second = early.heard(), late.heard()
    length = late.rate // 2
    np.testing.assert_allclose(first[:length], second[:length], atol=0.5)
    assert amplitude_at(second[length // 5 : length], MUSIC, late.rate) > LOUD
    assert np.abs(second[length + late.rate // 10 :]).max() < 100, "then silence"


def test_an_announcement_ducks_speech_and_spares_whom_it_should() -> None:
    conference, callers = meeting()
    command = PlayClip(1, "a", "words", duck=True, except_call_id=callers[2].call_id)
    assert conference.mixer.sounds.play(command) == ""
    levels = heard(conference, callers, 45, settle=8)
    for caller in (0, 1, 3, 4):
        assert levels[caller, 6] > LOUD
    assert levels[2, 6] < QUIET
    others = ~np.eye(5, 4, dtype=bool)
    assert (np.abs(levels[:, :4][others] - 750) < 120).all(), "12 dB down"
    conference.run(10)
    assert ClipEnded("a") in conference.reports
    levels = heard(conference, callers, 50)
    assert (levels[:, :4][others] > LOUD).all()


def test_an_announcement_to_one_is_heard_by_that_one_alone_also_instead_of_music() -> None:
    conference, callers = meeting()
    conference.update(callers[2], heard=False, hears=False)
    conference.mixer.play_program(callers[2].call_id, "music", True)
    for number, caller in ((0, callers[4]), (1, callers[2])):
        command = PlayClip(1, f"p{number}", "words", to="call", call_id=caller.call_id, duck=True)
        assert conference.mixer.sounds.play(command) == ""
    levels = heard(conference, callers, 45, settle=8)
    assert levels[4, 6] > LOUD
    assert levels[2, 6] > LOUD
    assert levels[2, 4] < QUIET, "the music waits"
    assert (levels[[0, 1, 3], 6] < QUIET).all()
    assert levels[0, 1] > LOUD, "only the one who is told has speech turned down"
    conference.run(10)
    assert heard(conference, callers, 45)[2, 4] > LOUD, "and goes on"


def test_everyone_includes_those_who_wait() -> None:
    conference, callers = meeting()
    conference.update(callers[3], heard=False, hears=False)
    assert conference.mixer.sounds.play(PlayClip(1, "e", "words", to="everyone")) == ""
    assert (heard(conference, callers, 45, settle=8)[:, 6] > LOUD).all()


def test_a_coach_is_heard_by_the_coachee_alone_across_rates() -> None:
    conference, callers = meeting()
    conference.update(callers[0], heard_by=[callers[2].call_id])
    levels = heard(conference, callers, 60)
    assert levels[2, 0] > LOUD
    assert (levels[[1, 3, 4], 0] < QUIET).all()
    assert (levels[0, 1:4] > LOUD).all(), "a coach hears everybody"
    conference.update(callers[0], heard=False, heard_by=[callers[2].call_id])
    assert (heard(conference, callers, 60)[1:, 0] < QUIET).all(), "muted, a coach is a monitor"
    conference.update(callers[0], heard=True, heard_by=[])
    assert (heard(conference, callers, 60)[1:, 0] < QUIET).all(), "without a coachee nobody hears a coach"
    conference.update(callers[0], heard_by=None)
    assert (heard(conference, callers, 60)[1:, 0] > LOUD).all()


def test_a_muted_leg_that_is_told_something_does_not_hear_itself() -> None:
    conference, callers = meeting()
    for caller in callers[:4]:
        conference.update(caller, heard=False)
    conference.mixer.sounds.play(PlayClip(1, "m", "words", to="call", call_id=callers[0].call_id))
    levels = heard(conference, callers, 45, settle=8)
    assert levels[0, 6] > LOUD
    assert (levels[0, :4] < QUIET).all()


def test_a_returned_clip_ends_wherever_it_plays() -> None:
    conference, callers = meeting()
    conference.update(callers[1], heard=False, hears=False)
    conference.mixer.play_program(callers[1].call_id, "words", True)
    conference.mixer.sounds.play(PlayClip(1, "r", "words"))
    conference.run(5)
    assert conference.mixer.forget_clip("words")
    assert not conference.mixer.forget_clip("words")
    assert ClipEnded("r") in conference.reports
    assert (heard(conference, callers, 45)[:, 6] < QUIET).all()


def test_what_cannot_be_played_is_refused_and_changes_nothing() -> None:
    conference, callers = meeting()
    mixer, caller = conference.mixer, callers[0]
    assert mixer.sounds.play(PlayClip(1, "x", "nothing")) == "no such clip"
    assert mixer.sounds.play(PlayClip(1, "x", "beep", to="call", call_id="nobody")) == "no such leg"
    assert mixer.sounds.play(PlayClip(1, "x", "beep")) == ""
    assert mixer.sounds.play(PlayClip(1, "x", "beep")) == "this is playing already"
    assert mixer.play_program("nobody", "music", True) == "no such leg"
    assert mixer.play_program(caller.call_id, "nothing", True) == "the clip is not lent at 8000 Hz"
    assert mixer.play_program(caller.call_id, "music", True) == "the leg hears the mix"


def test_two_hundred_on_music_cost_one_opus_encode_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    conference = VirtualConference()
    lend_tone(conference.mixer.clips, "music", MUSIC, 3, rates=(48000,))
    for number in range(200):
        caller = conference.add("opus", hears=False, heard=False)
        conference.mixer.play_program(caller.call_id, "music", True)
        if number % 20 == 0:
            conference.run(1)
    table = next(iter(conference.mixer.tables.values()))
    count = 0
    encode = table.clip_packets._encode  # type: ignore[attr-defined]

    def counting(number: int, tick: int) -> NDArray[np.uint8]:
        nonlocal count
        count += 1
        return encode(number, tick)

    monkeypatch.setattr(table.clip_packets, "_encode", counting)  # type: ignore[attr-defined]
    conference.run(20)
    assert count == 20


@pytest.mark.parametrize("codec", ["pcmu", "l16"])
def test_the_few_who_say_nothing_among_many_talkers_hear_them_all(codec: Codec) -> None:
    conference = VirtualConference()
    voices = [400.0 + 110 * number for number in range(24)]
    for frequency in voices:
        conference.add(codec, tone(frequency, 4, RATES[codec], 1000))
    silent, muted, held = (
        conference.add(codec),
        conference.add(codec, tone(3100, 4, RATES[codec])),
        conference.add(codec),
    )
    conference.update(muted, heard=False)
    conference.update(held, hears=False)
    conference.run(100)
    for listener in (silent, muted):
        sound = listener.heard()[listener.rate // 2 :]
        assert all(amplitude_at(sound, frequency, listener.rate) > 800 for frequency in voices)
    assert amplitude_at(muted.heard()[muted.rate // 2 :], 3100, muted.rate) < 30
    assert np.abs(held.heard()).max() < 1
