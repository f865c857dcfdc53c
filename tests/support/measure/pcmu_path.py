"""PCMU through a lossy link to the server and on to a listener who loses nothing; and the same with silent holes."""

from dataclasses import dataclass

import numpy as np

from mixer.codecs.g711 import MULAW_DECODE
from tests.support.conference import VirtualConference
from tests.support.measure.links import FatedLink, Network
from tests.support.measure.sounds import Pcm
from tests.support.quality import pesq

_REST_TICKS = 15


@dataclass(frozen=True, slots=True)
class Filled:
    """PESQ-NB by what is put in place of what was lost."""

    concealed: float
    zeros: float


def talk(sound: Pcm, loss: float, seed: int) -> Filled:
    """Let `sound`, (samples,) at 8 kHz, be said over a link that loses this share of the packets."""
    conference = VirtualConference()
    talker = conference.add("pcmu", sound, phase_ms=seed * 7.3 % 20)
    link = talker.link = FatedLink(Network(loss), seed)
    listener = conference.add("pcmu")
    ticks = len(sound) // 160
    conference.run(ticks + _REST_TICKS)
    holes = MULAW_DECODE[np.frombuffer(b"".join(talker.said[:ticks]), np.uint8).reshape(ticks, 160)].copy()
    holes[np.array(link.fate[:ticks])] = 0
    reference = sound.astype(np.float32) / 32768
    heard, cut = (pesq(8000, reference, one / 32768, "nb") for one in (listener.heard(), holes.reshape(-1)))
    return Filled(heard, cut)
