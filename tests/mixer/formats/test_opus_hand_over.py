"""Opus legs between the shared stream and one of their own: nobody hears where the one ends and the other begins."""

import ctypes
import struct
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.formats.opus_encoding import HANGOVER_TICKS, MIX, OWN, OpusEncoding
from mixer.formats.opus_profiles import plain
from mixer.protocol import MixerConfig
from tests.support.conference import Caller, VirtualConference
from tests.support.quality import pesq
from tests.support.voices import speech

TICKS = 500
TOGGLE = 100


def voice(name: str) -> NDArray[np.int16]:
    return np.rint(speech(name, 10, 48_000)).astype(np.int16)


def paused(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """The same with every other two seconds of silence."""
    parts = sound.copy().reshape(-1, TOGGLE * 960)
    parts[::2] = 0
    return parts.reshape(-1)


class Toggling:
    """One speaks all the time; another every other two seconds; a third, in the same format, only listens."""

    def __init__(self, share: bool, mutes: bool, protected: bool) -> None:
        conference = VirtualConference(MixerConfig("test", share_encodes=share))
        conference.add("l16", voice("anna"), rate=48_000)
        self.toggler = conference.add("opus", voice("ben") if mutes else paused(voice("ben")))
        self.listener = conference.add("opus")
        self.everything = conference.add("l16", rate=48_000)
        table = conference.mixer.tables[int(conference.mixer.legs.table[1])]
        for row in range(2):
            table.protect(row, protected)
        for turn in range(TICKS // TOGGLE):
            if mutes:
                conference.update(self.toggler, heard=turn % 2 == 1)
            conference.run(TOGGLE)


def score(reference: NDArray[np.float32], heard: Caller) -> float:
    after = 48_000
    return pesq(16_000, reference[after::3], heard.heard()[after::3], "wb")


def alone() -> NDArray[np.float32]:
    """What the toggler is to hear: the others."""
    conference = VirtualConference()
    conference.add("l16", voice("anna"), rate=48_000)
    ideal = conference.add("l16", rate=48_000)
    conference.run(TICKS)
    return ideal.heard()


@pytest.mark.parametrize(("mutes", "protected"), [(False, False), (True, False), (True, True)])
def test_who_toggles_every_two_seconds_hears_and_is_heard_as_by_private_encoders(mutes: bool, protected: bool) -> None:
    shared, private = (Toggling(share, mutes, protected) for share in (True, False))
    ideal = alone()
    assert score(ideal, shared.toggler) > score(ideal, private.toggler) - 0.1
    everything = private.everything.heard()
    assert score(everything, shared.listener) > score(everything, private.listener) - 0.1
    for caller in (shared.toggler, shared.listener):
        sequences = [struct.unpack_from("!H", packet, 2)[0] for packet in caller.got]
        assert len(sequences) == TICKS
        assert all((b - a) % 65_536 == 1 for a, b in pairwise(sequences))


def test_without_sharing_each_that_hears_has_an_encoder_of_its_own() -> None:
    conference = VirtualConference(MixerConfig("test", share_encodes=False))
    conference.add("l16", voice("anna"), rate=48_000)
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
        self.encoding = OpusEncoding(2, plain(64_000, 0))
        for row in range(2):
            self.encoding.open(row, hears=True)

    def tick(self, mix: NDArray[np.int16], own: NDArray[np.int16] | None = None) -> list[bytes]:
        wants = np.array([MIX if own is None else OWN, MIX], np.int8)
        rows = np.flatnonzero(wants == OWN)
        pcm = np.zeros((0, 960), np.int16) if own is None else own[np.newaxis]
        address, length = self.encoding.encode(wants, np.ones(2, bool), mix[np.newaxis], rows, pcm)
        return [ctypes.string_at(int(a), int(n)) for a, n in zip(address, length, strict=True)]


def test_own_stream_goes_on_bit_by_bit_where_the_shared_one_was() -> None:
    two, frames = Two(), voice("anna").reshape(-1, 960)
    for frame in frames[:60]:
        first, second = two.tick(frame)
        assert first == second
    for frame in frames[60:100]:
        first, second = two.tick(frame, own=frame)
        assert first == second
    assert two.encoding.stream.tolist() == [OWN, MIX]


def test_way_back_is_taken_after_both_encoders_heard_the_same_for_a_while() -> None:
    two = Two()
    mix, other = voice("anna").reshape(-1, 960), voice("ben").reshape(-1, 960)
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
    mix, other = voice("anna").reshape(-1, 960), voice("ben").reshape(-1, 960)
    for number in range(60):
        two.tick(mix[number], own=other[number] if number % HANGOVER_TICKS == 0 else None)
        assert two.encoding.stream[0] == OWN
