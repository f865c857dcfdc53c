"""Opus through a lossy link to the server, mixed, encoded again, and decoded by a listener who loses nothing.

Beside it, what a decoder gets that hears the talker at once: with the same packets lost, none late, no second coding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.protocol import MixerConfig
from server.caller.codecs import resample
from tests.support.conference import VirtualConference
from tests.support.measure.links import FatedLink, Network
from tests.support.measure.sounds import Pcm
from tests.support.opus_sender import OpusSender
from tests.support.quality import pesq, stoi

BITRATE: Final = 64_000
FEC_FOR_PERCENT: Final = 10
"""The loss that the talker's FEC is made for, whatever the loss is."""
RATE: Final = 16_000
"""Hz; what PESQ-WB listens to."""
_SAMPLES: Final = RATE // 50
_REST_TICKS: Final = 15
"""For what waits in the jitter buffer at the end."""

Repair = Literal["fec", "conceal"]
Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """How good and how intelligible a sound is."""

    pesq: float
    stoi: float


@dataclass(frozen=True, slots=True)
class Journey:
    """What was said, and what became of it."""

    sound: Pcm
    said: list[bytes]
    lost: list[bool]
    heard: list[bytes]

    def through_server(self) -> Score:
        """What the listener hears."""
        return self._score(decoded(self.heard))

    def straight(self, repair: Repair) -> Score:
        """What a decoder makes of the talker's packets."""
        return self._score(decoded(self.said, self.lost, repair))

    def _score(self, heard: Sound) -> Score:
        reference, sound = resample(self.sound, 48_000, RATE).astype(np.float32) / 32768, heard / 32768
        return Score(pesq(RATE, reference, sound, "wb"), stoi(RATE, reference, sound))


def talk(sound: Pcm, network: Network, seed: int, complexity: int | None = None) -> Journey:
    """Let `sound`, (samples,) at 48 kHz, be said over such a link.

    `complexity`: of the server's encoder, its default if None.
    """
    usual = MixerConfig("test")
    config = usual if complexity is None else replace(usual, opus_complexity=complexity)
    conference = VirtualConference(config)
    sender = OpusSender(bitrate=BITRATE, loss_percent=FEC_FOR_PERCENT)
    talker = conference.add("opus", sound, opus_sender=sender, phase_ms=seed * 7.3 % 20)
    link = talker.link = FatedLink(network, seed)
    listener = conference.add("opus")
    ticks = len(sound) // 960
    conference.run(ticks + _REST_TICKS)
    return Journey(sound, talker.said[:ticks], link.fate[:ticks], [packet[12:] for packet in listener.got])


def decoded(payloads: Sequence[bytes], lost: Sequence[bool] | None = None, repair: Repair = "fec") -> Sound:
    """All of these at `RATE`; what is lost is got from the FEC of the packet after it, or made up."""
    gone = list(lost) if lost is not None else [False] * len(payloads)
    raw = [np.frombuffer(payload, np.uint8) for payload in payloads]
    decoder, out = opus.Decoder(RATE), np.zeros((len(raw), _SAMPLES), np.float32)
    for number, payload in enumerate(raw):
        follows = raw[number + 1] if number + 1 < len(raw) and not gone[number + 1] else None
        if not gone[number]:
            decoder.decode(int(payload.ctypes.data), len(payload), out[number])
        elif repair == "fec" and follows is not None:
            decoder.decode_fec(int(follows.ctypes.data), len(follows), out[number], _SAMPLES)
        else:
            decoder.conceal(out[number], _SAMPLES)
    return out.reshape(-1)
