"""Speech-like sound for tests of quality: PESQ and STOI want something with onsets, pitch and pauses, not a tone.

The voices are those of the demo; PCM is float32 in int16 units, `(samples,)`.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from server.caller.codecs import as_int16, resample
from server.demo.voices import VOICES, speak


@cache
def speech(name: str = "ben", seconds: float = 8.0, rate: int = 16000) -> NDArray[np.float32]:
    """One of the voices `anna` (220 Hz), `ben` (110 Hz), `carla` (155 Hz), talking all the time; do not write to it.

    Raises:
        KeyError: no such voice.
    """
    voice = {voice.name: voice for voice in VOICES}[name]
    sound = resample(as_int16(speak(voice, seconds)), 16000, rate).astype(np.float32)
    sound.setflags(write=False)
    return sound
