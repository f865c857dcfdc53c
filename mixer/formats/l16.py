"""L16 legs: linear 16 bit, big-endian (RFC 3551 section 4.5.11), mono."""

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.codecs import l16
from mixer.formats.sampled import SampledTable


class L16Table(SampledTable):
    """L16 at one rate."""

    silence = 0

    def __init__(self, capacity: int, clips: Clips, sample_rate: int) -> None:
        super().__init__(capacity, clips, sample_rate, sample_rate, 2)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        l16.decode(payload, frames)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        l16.encode(pcm, payload)
