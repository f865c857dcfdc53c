"""Clips as Opus packets: each is encoded once, tick by tick as somebody gets there first, and sent to all who follow.

Everyone is played a clip from its start, so the packets of two hundred waiting callers are the same, only at other
times: music on hold costs one encode a tick and clip, at most.
"""

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.codecs import opus
from mixer.formats.opus_profiles import Profile


class ClipPackets:
    """Packets of clips by number and tick."""

    def __init__(self, clips: Clips, profile: Profile) -> None:
        self._clips, self._profile = clips, profile
        self._encoders: dict[int, opus.Encoder] = {}
        self._packets: dict[int, list[NDArray[np.uint8]]] = {}
        self._scratch = np.zeros(opus.MAX_PAYLOAD_BYTES, np.uint8)

    def get(self, number: int, tick: int) -> tuple[int, int]:
        """Address and length of a packet; the address holds until `forget`."""
        packets = self._packets.setdefault(number, [])
        while len(packets) <= tick:
            packets.append(self._encode(number, len(packets)))
        packet = packets[tick]
        return int(packet.ctypes.data), len(packet)

    def _encode(self, number: int, tick: int) -> NDArray[np.uint8]:
        encoder = self._encoders.get(number)
        if encoder is None:
            encoder = self._encoders[number] = self._profile.encoder()
        pcm = self._clips.frames(number, np.array([tick]), 48000)[0]
        length = encoder.encode(pcm, int(self._scratch.ctypes.data))
        return self._scratch[:length].copy()

    def forget(self, number: int) -> None:
        """The clip is returned."""
        self._encoders.pop(number, None)
        self._packets.pop(number, None)
