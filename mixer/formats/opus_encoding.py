"""The sending half of Opus legs: encode once for all who hear the same.

Two streams are shared: the mix, for all who say nothing, and silence, for all who do not hear. A leg that says
something hears a mix of its own and gets an encoder of its own, which takes over the state of the stream it leaves,
so that its far end hears one unbroken stream. It goes back to a shared stream when both encoders have been given
the same PCM for HANGOVER_TICKS: then their states are as good as the same.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.columns import grown

MIX: Final = 0
SILENCE: Final = 1
OWN: Final = -1
HANGOVER_TICKS: Final = 10
"""The least that is not heard is 2; own frames in a row with the shared PCM."""


class OpusEncoding:
    """Encoders and payloads. `payload` (capacity, 1276) uint8, `length` (capacity,) int32: own streams, by row."""

    def __init__(self, capacity: int, bitrate: int, complexity: int) -> None:
        self._bitrate, self._complexity = bitrate, complexity
        self._shared = [self._encoder(), self._encoder()]
        self._shared_payload = np.zeros((2, opus.MAX_PAYLOAD_BYTES), np.uint8)
        self._shared_length = [0, 0]
        self._quiet = np.zeros((1, 960), np.int16)
        self._own: list[opus.Encoder | None] = [None] * capacity
        self.stream = np.full(capacity, SILENCE, np.int8)
        """Which stream each leg is sent: MIX, SILENCE or OWN."""
        self.same_ticks = np.zeros(capacity, np.int32)
        """For how long each leg on a stream of its own has wanted `wanted`."""
        self.wanted = np.full(capacity, OWN, np.int8)
        self.payload = np.zeros((capacity, opus.MAX_PAYLOAD_BYTES), np.uint8)
        self.length = np.zeros(capacity, np.int32)

    def _encoder(self) -> opus.Encoder:
        return opus.Encoder(48000, "lowdelay", self._bitrate, self._complexity)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in ("stream", "same_ticks", "wanted", "payload", "length"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self._own += [None] * (capacity - len(self._own))

    def open(self, row: int, hears: bool) -> None:
        """A new leg starts on a shared stream."""
        self.stream[row] = MIX if hears else SILENCE
        self._own[row] = None

    def close(self, row: int) -> None:
        """Free the leg's encoder."""
        self._own[row] = None
        self.stream[row] = SILENCE

    def encode(
        self,
        wants: NDArray[np.int8],
        live: NDArray[np.bool_],
        shared_pcm: NDArray[np.int16],
        own: NDArray[np.int64],
        own_pcm: NDArray[np.int16],
    ) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Encode one tick; returns address and length of each leg's payload, (n,) each.

        `wants` (n,) MIX, SILENCE or OWN by leg; `shared_pcm` (1, 960) what MIX hears; `own` (k,) the legs that want
        OWN and `own_pcm` (k, 960) what they hear.
        """
        n = len(wants)
        stream = self.stream[:n]
        leaving = np.flatnonzero((stream != OWN) & (wants == OWN) & live)
        for row in leaving.tolist():
            self._fork(row)
        stream[leaving] = OWN
        # From silence into the mix or back there is no sound to continue: all who waited may change at once.
        stream[stream != OWN] = wants[stream != OWN]
        for which, pcm in ((MIX, shared_pcm), (SILENCE, self._quiet)):
            if (live & ((stream == which) | (wants == which))).any():
                payload = self._shared_payload[which]
                self._shared_length[which] = self._shared[which].encode(pcm[0], int(payload.ctypes.data))
        heard: dict[int, NDArray[np.int16]] = dict(zip(own.tolist(), own_pcm, strict=True))
        for row in np.flatnonzero((stream == OWN) & live).tolist():
            shared = shared_pcm[0] if wants[row] == MIX else self._quiet[0]
            self._encode_own(row, heard.get(row, shared))
        return self._addresses(wants, live)

    def _encode_own(self, row: int, pcm: NDArray[np.int16]) -> None:
        encoder = self._own[row]
        assert encoder is not None
        self.length[row] = encoder.encode(pcm, int(self.payload.ctypes.data) + row * self.payload.shape[1])

    def _fork(self, row: int) -> None:
        encoder = self._own[row]
        if encoder is None:
            encoder = self._own[row] = self._encoder()
        encoder.copy_state_from(self._shared[self.stream[row]])
        self.same_ticks[row] = 0

    def _addresses(
        self, wants: NDArray[np.int8], live: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Payloads of this tick, then the moves of legs that have earned them, which count from the next."""
        n = len(wants)
        stream = self.stream[:n]
        base = self._shared_payload.ctypes.data
        shared = np.where(stream == MIX, base, base + self._shared_payload.shape[1]).astype(np.uint64)
        row_addresses = np.uint64(self.payload.ctypes.data) + np.arange(n, dtype=np.uint64) * np.uint64(
            self.payload.shape[1]
        )
        mine = stream == OWN
        address = np.where(mine, row_addresses, shared)
        shared_length = np.where(stream == MIX, self._shared_length[MIX], self._shared_length[SILENCE])
        length = np.where(mine, self.length[:n], shared_length)
        returning = mine & (wants != OWN) & live
        self.same_ticks[:n] = np.where(returning & (wants == self.wanted[:n]), self.same_ticks[:n] + 1, returning)
        self.wanted[:n] = wants
        back = returning & (self.same_ticks[:n] >= HANGOVER_TICKS)
        stream[back] = wants[back]
        return address, length
