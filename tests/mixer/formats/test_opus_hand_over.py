"""Opus legs between the shared stream and one of their own: nobody hears where the one ends and the other begins."""

import ctypes

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.formats.opus_effort import Effort
from mixer.formats.opus_encoding import HANGOVER_TICKS, MIX, OWN, OpusEncoding
from mixer.formats.opus_profiles import plain
from mixer.protocol import MixerConfig
from tests.support.conference import VirtualConference
from tests.support.measure.toggling import spoken, toggle


@pytest.mark.parametrize(("mutes", "protected"), [(False, False), (True, False), (True, True)])
def test_who_toggles_every_two_seconds_hears_and_is_heard_as_by_private_encoders(mutes: bool, protected: bool) -> None:
    toggled = toggle(mutes, protected)
    assert toggled.own > toggled.own_private - 0.1
    assert toggled.listener > toggled.listener_private - 0.1
    assert toggled.gaps == 0


def test_without_sharing_each_that_hears_has_an_encoder_of_its_own() -> None:
    conference = VirtualConference(MixerConfig("test", share_encodes=False))
    conference.add("l16", spoken("anna"), rate=48_000)
    listeners = [conference.add("opus") for _ in range(3)]
    conference.run(50)
    table = conference.mixer.tables[int(conference.mixer.legs.table[1])]
    assert (table.encoding.stream[:3] == OWN).all()  # type: ignore[attr-defined]
    heard = [np.sqrt(np.mean(listener.heard()[24_000:] ** 2)) for listener in listeners]
    assert min(heard) > 500


# ---- the encoders themselves


class Two:
    """Two legs that hear the same, of which the first may want a stream of its own."""

    def __init__(self) -> None:
        self.encoding = OpusEncoding(2, plain(64_000, 0), Effort(0))
        for row in range(2):
            self.encoding.open(row, hears=True)

    def tick(self, mix: NDArray[np.int16], own: NDArray[np.int16] | None = None) -> list[bytes]:
        wants = np.array([MIX if own is None else OWN, MIX], np.int8)
        rows = np.flatnonzero(wants == OWN)
        pcm = np.zeros((0, 960), np.int16) if own is None else own[np.newaxis]
        address, length = self.encoding.encode(wants, np.ones(2, bool), mix[np.newaxis], rows, pcm)
        return [ctypes.string_at(int(a), int(n)) for a, n in zip(address, length, strict=True)]


def test_own_stream_goes_on_bit_by_bit_where_the_shared_one_was() -> None:
    two, frames = Two(), spoken("anna").reshape(-1, 960)
    for frame in frames[:60]:
        first, second = two.tick(frame)
        assert first == second
    for frame in frames[60:100]:
        first, second = two.tick(frame, own=frame)
        assert first == second
    assert two.encoding.stream.tolist() == [OWN, MIX]


def test_way_back_is_taken_after_both_encoders_heard_the_same_for_a_while() -> None:
    two = Two()
    mix, other = spoken("anna").reshape(-1, 960), spoken("ben").reshape(-1, 960)
    for number in range(50):
        two.tick(mix[number], own=other[number])
    differs = []
    for number in range(50, 50 + HANGOVER_TICKS + 5):
        first, second = two.tick(mix[number])
        differs.append(first != second)
    assert all(differs[:5])
    assert not any(differs[HANGOVER_TICKS:])
    assert two.encoding.stream.tolist() == [MIX, MIX]


def test_a_word_in_between_starts_the_wait_anew() -> None:
    two = Two()
    mix, other = spoken("anna").reshape(-1, 960), spoken("ben").reshape(-1, 960)
    for number in range(60):
        two.tick(mix[number], own=other[number] if number % HANGOVER_TICKS == 0 else None)
        assert two.encoding.stream[0] == OWN
