"""Clips as the server lends them: sealed memfds of PCM."""

import fcntl
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from tests.support.conference import tone

RATES = (8000, 16000, 24000, 48000)


def sealed(pcm: NDArray[np.int16]) -> int:
    """A descriptor of a sealed memfd that holds `pcm`."""
    fd = os.memfd_create("clip", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, pcm.tobytes())
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


def lend_tone(
    clips: Clips,
    clip_id: str,
    frequency_hz: float,
    seconds: float,
    rates: Sequence[int] = RATES,
    amplitude: float = 3000,
) -> None:
    """Lend a tone at these rates."""
    for rate in rates:
        pcm = tone(frequency_hz, seconds, rate, amplitude)
        clips.lend(clip_id, rate, len(pcm), sealed(pcm))
