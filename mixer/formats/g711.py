"""G.711 legs, mu-law or A-law: decoded and encoded by table look-up over all rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.clips import Clips
from mixer.codecs import g711
from mixer.formats.base import Flags, Rows
from mixer.formats.sampled import SampledTable


class G711Table(SampledTable):
    """PCMU or PCMA."""

    def __init__(self, capacity: int, clips: Clips, mu_law: bool) -> None:
        self.silence = g711.MULAW_SILENCE if mu_law else g711.ALAW_SILENCE
        self.silence_sounds = not mu_law
        self.to_pcm = g711.MULAW_DECODE if mu_law else g711.ALAW_DECODE
        self.from_pcm = g711.MULAW_ENCODE if mu_law else g711.ALAW_ENCODE
        super().__init__(capacity, clips, 8000, 8000, 1)

    def _take_whole(self, action: NDArray[np.int8]) -> bool:
        """See SampledTable."""
        loops = kernels.loops
        if loops is None:
            return super()._take_whole(action)
        position, ring = (self.playout.play, self.playout.phase), (self.ring.key, self.ring.filled, self.ring.data)
        law = self.to_pcm, self.silence, self.silence_sounds
        outcome = self.received, self.frames, self._whole, self.contributes
        complete = loops.decode_whole(self.n, action, *position, *ring, *law, *outcome)
        np.copyto(self._have[: self.n], self._whole[: self.n])
        return complete

    def taken(self) -> tuple[Flags, Flags, Rows]:
        """Columns of what was taken of each leg: whole, at least part of it, and how much of it was made up."""
        return self._whole, self._have, self._made

    def mixes(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Where the mixes of a tick are made: sound and its rounded form of legs', and that of the shared one."""
        return self._mix, self.pcm, self.shared_pcm

    def rows(self) -> tuple[Rows, Rows]:
        """Room for the legs with mixes of their own, and all rows."""
        return self._own, self._all_rows

    def payloads_at(self) -> tuple[int, int, int]:
        """Where silence, the shared payload and the first of the legs' own lie."""
        return self._quiet_at, self._shared_at, self._own_at

    def _take_rest(self, rows: Rows) -> None:
        """See SampledTable."""
        if kernels.loops is None:
            super()._take_rest(rows)
            return
        payload, frames = self.received[rows], np.zeros((len(rows), self.samples), np.float32)
        self._decode(payload, frames)
        frames[~self._have[rows] | ((payload == self.silence).all(axis=1) & self.silence_sounds)] = 0
        self.frames[rows] = frames
        self.contributes[rows] = (payload != self.silence).any(axis=1)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        g711.decode(self.to_pcm, payload, frames)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        g711.encode(self.from_pcm, pcm, payload)
