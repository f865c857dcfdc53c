"""One who begins and ends to talk every two seconds, and so goes to and fro between the shared stream and his own."""

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.protocol import MixerConfig
from tests.support.conference import Caller, VirtualConference
from tests.support.quality import pesq
from tests.support.voices import speech

TICKS: Final = 500
TOGGLE: Final = 100
_AFTER: Final = 48_000
"""Samples at the beginning that are not judged."""


@dataclass(frozen=True, slots=True)
class Toggled:
    """PESQ-WB of what the toggler and a listener hear, with shared encoders and with one for each leg."""

    own: float
    own_private: float
    listener: float
    listener_private: float
    gaps: int
    """In the sequence numbers of what both are sent, missing packets included."""


def spoken(name: str) -> NDArray[np.int16]:
    """Ten seconds of a voice at 48 kHz."""
    return np.rint(speech(name, 10, 48_000)).astype(np.int16)


def _paused(sound: NDArray[np.int16]) -> NDArray[np.int16]:
    """The same with every other two seconds of silence."""
    parts = sound.copy().reshape(-1, TOGGLE * 960)
    parts[::2] = 0
    return parts.reshape(-1)


class Toggling:
    """One speaks all the time; another every other two seconds; a third, in the same format, only listens."""

    def __init__(self, share: bool, mutes: bool, protected: bool) -> None:
        conference = VirtualConference(MixerConfig("test", share_encodes=share))
        conference.add("l16", spoken("anna"), rate=48_000)
        self.toggler = conference.add("opus", spoken("ben") if mutes else _paused(spoken("ben")))
        self.listener = conference.add("opus")
        self.everything = conference.add("l16", rate=48_000)
        table = conference.mixer.tables[int(conference.mixer.legs.table[1])]
        for row in range(2):
            table.protect(row, protected)
        for turn in range(TICKS // TOGGLE):
            if mutes:
                conference.update(self.toggler, heard=turn % 2 == 1)
            conference.run(TOGGLE)

    def gaps(self) -> int:
        """Packets that are missing, or out of order, in what the toggler and the listener are sent."""
        found = 0
        for caller in (self.toggler, self.listener):
            sequences = [struct.unpack_from("!H", packet, 2)[0] for packet in caller.got]
            found += abs(TICKS - len(sequences)) + sum((b - a) % 65_536 != 1 for a, b in pairwise(sequences))
        return found


def _score(reference: NDArray[np.float32], heard: Caller) -> float:
    return pesq(16_000, reference[_AFTER::3], heard.heard()[_AFTER::3], "wb")


def _alone() -> NDArray[np.float32]:
    """What the toggler is to hear: the others."""
    conference = VirtualConference()
    conference.add("l16", spoken("anna"), rate=48_000)
    ideal = conference.add("l16", rate=48_000)
    conference.run(TICKS)
    return ideal.heard()


def toggle(mutes: bool, protected: bool) -> Toggled:
    """`mutes`: it is muted and unmuted while it speaks, else it pauses; `protected`: what is sent has FEC."""
    shared, private = (Toggling(share, mutes, protected) for share in (True, False))
    ideal, everything = _alone(), private.everything.heard()
    return Toggled(
        _score(ideal, shared.toggler),
        _score(ideal, private.toggler),
        _score(everything, shared.listener),
        _score(everything, private.listener),
        shared.gaps(),
    )
