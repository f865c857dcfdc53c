"""Who is mixed where more speak than are mixed at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.dsp.levels import SILENCE_DBOV
from mixer.formats.loudest import Loudest
from mixer.protocol import MixerConfig, SpeechChanged
from tests.mixer.formats.test_opus import Decodes
from tests.support.conference import VirtualConference, amplitude_at, tone

NOISE = -65.0
SPEECH = -25.0


class Crowd:
    """Legs of which each is so loud, whatever it claims; `shares` tells how often each was chosen."""

    def __init__(self, legs: int, most: int) -> None:
        self.loudest, self.most = Loudest(legs, most), most
        for row in range(legs):
            self.loudest.reset(row)
        self.level = np.full(legs, NOISE, np.float32)
        self.candidates = np.ones(legs, bool)
        self.heard = np.full(legs, SILENCE_DBOV, np.float32)
        self.changes: list[int] = []
        self._chosen = np.zeros(legs, bool)

    def run(self, ticks: int) -> NDArray[np.float64]:
        """(legs,): in what share of these ticks each was chosen."""
        chosen = np.zeros((ticks, len(self.level)), bool)
        for tick in range(ticks):
            now = chosen[tick] = self.loudest.choose(self.candidates, self.heard)
            self.changes.append(np.count_nonzero(now & ~self._chosen))
            self._chosen = now.copy()
            self.heard = np.where(now, self.level, np.float32(SILENCE_DBOV)).astype(np.float32)
            assert np.count_nonzero(now) == min(self.most, np.count_nonzero(self.candidates))
            assert not (now & ~self.candidates).any()
        return np.asarray(chosen.mean(axis=0))


def test_all_are_chosen_while_there_is_room_for_all() -> None:
    crowd = Crowd(40, most=10)
    crowd.candidates[8:] = False
    assert (crowd.run(50)[:8] == 1).all()


def test_the_loud_keep_their_places_and_the_rest_are_tried_in_turns() -> None:
    crowd = Crowd(100, most=32)
    crowd.level[50:60] = SPEECH
    crowd.run(100)
    shares = crowd.run(400)
    assert (shares[50:60] == 1).all()
    quiet = np.delete(shares, np.arange(50, 60))
    assert quiet.min() > 0.03
    assert max(crowd.changes[100:]) <= 4  # decoders that begin again have to catch up


def test_who_begins_to_speak_is_found_soon_without_a_claim_and_at_once_with_one() -> None:
    for claims, ticks in ((False, 60), (True, 2)):
        crowd = Crowd(150, most=64)
        crowd.level[:3] = SPEECH
        crowd.run(200)
        newcomer = 3 + int(np.argmin(crowd.run(1)[3:]))
        crowd.level[newcomer] = SPEECH
        if claims:
            crowd.loudest.claimed[newcomer] = SPEECH
        crowd.run(ticks)
        assert crowd.run(100)[newcomer] == 1


def test_pauses_between_words_cost_nobody_his_place() -> None:
    crowd = Crowd(100, most=10)
    crowd.level[:9] = SPEECH
    crowd.run(400)
    for _ in range(10):
        crowd.level[4] = NOISE
        assert crowd.run(5)[4] == 1
        crowd.level[4] = SPEECH
        crowd.run(10)


def test_forged_claims_are_seen_through() -> None:
    crowd = Crowd(100, most=10)
    crowd.level[:4] = SPEECH
    crowd.loudest.claimed[:4] = SPEECH
    crowd.level[10:60] = SILENCE_DBOV
    crowd.loudest.claimed[10:60] = 0
    crowd.run(250)
    shares = crowd.run(500)
    assert (shares[:4] == 1).all()


def test_new_leg_in_a_row_is_not_held_to_what_the_one_before_it_claimed() -> None:
    crowd = Crowd(30, most=4)
    crowd.level[1:4] = SPEECH
    crowd.level[0], crowd.loudest.claimed[0] = SILENCE_DBOV, 0
    crowd.run(300)
    crowd.loudest.reset(0)
    crowd.level[0] = SPEECH + 10
    crowd.loudest.claimed[0] = SPEECH + 10
    crowd.run(10)
    assert crowd.run(50)[0] == 1


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 2**16 - 1), st.lists(st.floats(-127, 0, width=32), min_size=16, max_size=16))),
)
def test_never_more_than_allowed_nor_fewer_than_could_be(most: int, ticks: list[tuple[int, list[float]]]) -> None:
    loudest = Loudest(16, most)
    for bits, level in ticks:
        candidates = np.array([bits >> k & 1 for k in range(16)], bool)
        loudest.claimed[:] = level[::-1]
        chosen = loudest.choose(candidates, np.array(level, np.float32))
        assert np.count_nonzero(chosen) == min(most, np.count_nonzero(candidates))
        assert not (chosen & ~candidates).any()


# ---- in a conference


def heard_tones(conference: VirtualConference, amplitudes: list[float]) -> list[float]:
    """What a listener hears of callers with a tone each, in the third second."""
    for number, amplitude in enumerate(amplitudes):
        conference.add("opus", tone(300.0 + 90 * number, 4, 48_000, amplitude))
    listener = conference.add("l16", rate=48_000)
    conference.run(150)
    sound = listener.heard()[96_000:]
    return [amplitude_at(sound, 300.0 + 90 * number, 48_000) for number in range(len(amplitudes))]


def test_the_loudest_are_heard_and_few_others_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    conference = VirtualConference(MixerConfig("test", loudest=5))
    decodes = Decodes(monkeypatch)
    amplitudes = [4000.0 if number % 3 == 0 else 100.0 for number in range(12)]
    levels = heard_tones(conference, amplitudes)
    assert min(levels[::3]) > 3500
    assert decodes.count <= 150 * (5 + 5)  # five, of which one catches up


@pytest.mark.parametrize("config", [MixerConfig("test", loudest=0), MixerConfig("test", loudest=12)])
def test_all_are_heard_where_there_are_no_more_than_are_mixed_or_no_bound(config: MixerConfig) -> None:
    amplitudes = [2000.0 if number % 3 == 0 else 200.0 for number in range(12)]
    levels = heard_tones(VirtualConference(config), amplitudes)
    assert all(0.8 * said < level < 1.2 * said for said, level in zip(amplitudes, levels, strict=True))


def test_usual_bound_leaves_a_room_of_forty_alone() -> None:
    assert MixerConfig("test").loudest > 40


def test_whoever_waits_for_a_place_goes_on_speaking_as_far_as_is_known() -> None:
    conference = VirtualConference(MixerConfig("test", loudest=8))
    talkers = [conference.add("opus", tone(300.0 + 40 * number, 6, 48_000, 4000)).call_id for number in range(20)]
    conference.run(275)
    changes: dict[str, list[bool]] = {call_id: [] for call_id in talkers}
    for report in conference.reports:
        if isinstance(report, SpeechChanged):
            changes[report.call_id].append(report.speaking)
    assert changes == {call_id: [True] for call_id in talkers}
