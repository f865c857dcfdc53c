"""Whole conferences: with loops, everybody is sent what he is sent without, to the last bit."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.protocol import Codec, PlayClip, Report
from tests.mixer.kernels.twins import Columns, Twins, assert_same, columns
from tests.support.clips import lend_tone
from tests.support.conference import RATES, Caller, VirtualConference, tone
from tests.support.network import Conditions

Story = Callable[[VirtualConference, list[Caller]], None]
MIXES: dict[str, tuple[Codec, ...]] = {
    "pcmu": ("pcmu",) * 5,
    "pcma": ("pcma",) * 4,
    "l16": ("l16",) * 4,
    "g722": ("g722",) * 4,
    "opus": ("opus",) * 3,
    "all": ("pcmu", "pcmu", "pcma", "l16", "g722", "opus", "pcma", "opus"),
}
LINKS = {
    "clean": Conditions(),
    "jitter": Conditions(jitter_ms=45),
    "loss": Conditions(loss=0.1, duplicate=0.05, reorder=0.05, jitter_ms=10),
}


def quiet(conference: VirtualConference, callers: list[Caller]) -> None:
    conference.run(40)


def mutes(conference: VirtualConference, callers: list[Caller]) -> None:
    """Who is heard and who hears changes; one leaves and another comes."""
    conference.run(15)
    conference.update(callers[0], heard=False)
    conference.update(callers[1], hears=False)
    conference.update(callers[2], gain=0.5)
    conference.run(15)
    conference.update(callers[0], gain=1.7)
    conference.update(callers[2], heard=False, hears=False)
    conference.mixer.remove(callers[1].call_id, bye=True)
    del conference.callers[callers[1].call_id]
    conference.run(15)
    conference.update(callers[2], gain=1.0)
    conference.run(10)


def sounds(conference: VirtualConference, callers: list[Caller]) -> None:
    """Music for who waits, announcements over speech and instead of music, a whisper."""
    clips = conference.mixer.clips
    lend_tone(clips, "music", 2000, 0.3)
    lend_tone(clips, "words", 2900, 0.3)
    conference.update(callers[1], heard=False, hears=False)
    conference.mixer.play_program(callers[1].call_id, "music", True)
    conference.update(callers[2], heard_by=[callers[0].call_id])
    conference.run(12)
    conference.mixer.sounds.play(PlayClip(0, "a", "words", "everyone", duck=True, except_call_id=callers[0].call_id))
    conference.run(8)
    conference.mixer.sounds.play(PlayClip(0, "b", "words", "call", callers[2].call_id, duck=True))
    conference.update(callers[2], heard_by=None)
    conference.run(25)
    conference.update(callers[1], heard=True, hears=True)
    conference.run(10)


STORIES: tuple[Story, ...] = (quiet, mutes, sounds)


def voice(number: int, rate: int, amplitude: float) -> NDArray[np.int16]:
    """A tone in bursts of half a second, so that there is silence, and somebody talks alone."""
    pcm = tone(300 + 170 * number, 1.6, rate, amplitude)
    bursts = (np.arange(len(pcm)) + number * rate // 8) // (rate // 2) % 2 == 0
    return np.where(bursts, pcm, 0).astype(np.int16)


def conference_of(
    codecs: tuple[Codec, ...], link: Conditions, amplitude: float, single: bool
) -> tuple[VirtualConference, list[Caller]]:
    """One who listens besides: who never sends anything."""
    conference = VirtualConference()
    callers = [
        conference.add(codec, voice(i, RATES[codec], amplitude), conditions=link, single=single)
        for i, codec in enumerate(codecs)
    ]
    conference.add(codecs[0], single=single)
    return conference, callers


Outcome = tuple[dict[str, list[bytes]], dict[str, list[bytes]], list[Report], Columns]


def outcome(conference: VirtualConference) -> Outcome:
    """What everybody was sent, as media and of reports, what the server was told, and what is known of the legs."""
    everybody = conference.callers.values()
    legs = conference.mixer.legs
    return (
        {caller.call_id: caller.got for caller in everybody},
        {caller.call_id: caller.rtcp for caller in everybody},
        conference.reports,
        columns(legs, legs.n),
    )


def assert_same_outcome(compiled: Outcome, by_numpy: Outcome) -> None:
    for ours, theirs in zip(compiled[:2], by_numpy[:2], strict=True):
        assert ours.keys() == theirs.keys()
        for call_id, packets in ours.items():
            assert packets == theirs[call_id], call_id
    assert compiled[2] == by_numpy[2]
    assert_same(compiled[3], by_numpy[3])


@pytest.mark.parametrize(
    ("mix", "link"), [*((mix, "loss") for mix in MIXES), ("pcmu", "clean"), ("pcmu", "jitter"), ("all", "jitter")]
)
def test_everybody_is_sent_the_same(twins: Twins, mix: str, link: str) -> None:
    def run() -> list[Outcome]:
        outcomes = []
        for story in STORIES:
            conference, callers = conference_of(MIXES[mix], LINKS[link], 6000, single=story is mutes)
            story(conference, callers)
            outcomes.append(outcome(conference))
        return outcomes

    for compiled, by_numpy in zip(*twins.run(run, "parse", "mix_minus", "write"), strict=True):
        assert_same_outcome(compiled, by_numpy)


@pytest.mark.parametrize("mix", ["pcmu", "l16", "opus", "all"])
def test_everybody_is_sent_the_same_where_all_are_far_too_loud(twins: Twins, mix: str) -> None:
    """Peaks in the first 2 ms of a frame are bent by a tanh, which may come out a bit different: none here does."""

    def run() -> Outcome:
        conference, callers = conference_of(MIXES[mix], LINKS["clean"], 26_000, single=False)
        quiet(conference, callers)
        gains = np.concatenate([table.limiter_gains[: table.n, 0] for table in conference.mixer.tables.values()])
        assert gains.min() < 0.9
        return outcome(conference)

    assert_same_outcome(*twins.run(run, "mix_minus"))


def test_everybody_is_sent_the_same_where_many_talk(twins: Twins) -> None:
    """More legs than tables begin with; all but a few hear mixes of their own, or few do."""

    def run() -> Outcome:
        conference = VirtualConference()
        for number in range(40):
            talks = number % 10 != 0 if number < 30 else number == 35
            conference.add("pcmu", voice(number, 8000, 900) if talks else None, conditions=LINKS["jitter"])
        conference.run(50)
        return outcome(conference)

    assert_same_outcome(*twins.run(run, "parse", "decode_whole", "place", "store", "point"))


@pytest.mark.parametrize("mix", ["pcmu", "all"])
def test_everybody_is_sent_the_same_by_loops_that_trust_their_arguments(unchecked_twins: Twins, mix: str) -> None:
    """As mixers run them: whatever types the tests above have found right need not be looked at any more."""

    def run() -> list[Outcome]:
        outcomes = []
        for story, link in ((quiet, "clean"), (mutes, "loss"), (sounds, "clean")):
            conference, callers = conference_of(MIXES[mix], LINKS[link], 6000, single=story is mutes)
            story(conference, callers)
            outcomes.append(outcome(conference))
        return outcomes

    for compiled, by_numpy in zip(*unchecked_twins.run(run, "parse", "mix_minus", "write"), strict=True):
        assert_same_outcome(compiled, by_numpy)
