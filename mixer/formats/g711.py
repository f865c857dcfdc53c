"""G.711 legs, mu-law or A-law: decoded and encoded by table look-up over all rows."""

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.clips import Clips
from mixer.codecs import g711
from mixer.formats.base import Rows
from mixer.formats.sampled import SampledTable


class G711Table(SampledTable):
    """PCMU or PCMA."""

    def __init__(self, capacity: int, clips: Clips, mu_law: bool) -> None:
        self.silence = g711.MULAW_SILENCE if mu_law else g711.ALAW_SILENCE
        self._silence_sounds = not mu_law
        self._to_pcm = g711.MULAW_DECODE if mu_law else g711.ALAW_DECODE
        self._from_pcm = g711.MULAW_ENCODE if mu_law else g711.ALAW_ENCODE
        super().__init__(capacity, clips, 8000, 8000, 1)

    def _take_whole(self, action: NDArray[np.int8]) -> bool:
        """See SampledTable."""
        loops = kernels.loops
        if loops is None:
            return super()._take_whole(action)
        if len(self.received) < self.capacity:
            self.received = np.zeros((self.capacity, self.payload_bytes), np.uint8)
        position, ring = (self.playout.play, self.playout.phase), (self.ring.key, self.ring.filled, self.ring.data)
        law = self._to_pcm, self.silence, self._silence_sounds
        outcome = self.received, self.frames, self._whole, self.contributes
        complete = loops.decode_whole(self.n, action, *position, *ring, *law, *outcome)
        np.copyto(self._have[: self.n], self._whole[: self.n])
        return complete

    def _take_rest(self, rows: Rows) -> None:
        """See SampledTable."""
        if kernels.loops is None:
            super()._take_rest(rows)
            return
        payload, frames = self.received[rows], np.zeros((len(rows), self.samples), np.float32)
        self._decode(payload, frames)
        frames[~self._have[rows] | ((payload == self.silence).all(axis=1) & self._silence_sounds)] = 0
        self.frames[rows] = frames
        self.contributes[rows] = (payload != self.silence).any(axis=1)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        g711.decode(self._to_pcm, payload, frames)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        g711.encode(self._from_pcm, pcm, payload)
