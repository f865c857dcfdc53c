"""What is said in measurements: the three voices, and real words where eSpeak NG is installed.

Sounds begin and end with half a second of silence, as PESQ wants it; int16, `(samples,)`.
"""

import io
import shutil
import subprocess
import wave
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from server.caller.codecs import as_int16, resample
from tests.support.voices import speech

VOICES: Final = ("anna", "ben", "carla")
SPEECH_S: Final = 9.0
_AROUND_S: Final = 0.5
_PEAK: Final = 16_384
_SPEAKERS: Final = {"anna": "en-us+f3", "ben": "en-gb", "carla": "en-us+f5"}
_WORDS: Final = (
    "The train from the coast is late again tonight. Please bring four chairs into the other room. "
    "She wrote her answer on a yellow card. Nobody knew which key would open the garage. "
    "Thick fog covered the harbour until noon."
)

Pcm = NDArray[np.int16]


@cache
def voice(name: str, rate: int, seconds: float = SPEECH_S) -> Pcm:
    """One of `VOICES`, as tests have them: murmured, without words."""
    return _between_silence(as_int16(speech(name, seconds, rate)), rate)


def can_say_words() -> bool:
    """Whether eSpeak NG is installed."""
    return shutil.which("espeak-ng") is not None


@cache
def words(name: str, rate: int, seconds: float = SPEECH_S) -> Pcm:
    """The same name saying sentences, by eSpeak NG."""
    command = ["espeak-ng", "-v", _SPEAKERS[name], "--stdout", _WORDS]
    said = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(said)) as file:
        # The header of what goes to a pipe gives no true length: all that follows is sound.
        sound, had = np.frombuffer(file.readframes(len(said)), np.int16), file.getframerate()
    sound = resample(sound, had, rate)[: int(seconds * rate)]
    return _between_silence(as_int16(sound * (_PEAK / np.abs(sound.astype(np.float64)).max())), rate)


def _between_silence(sound: Pcm, rate: int) -> Pcm:
    around = int(_AROUND_S * rate)
    frames = -(-(len(sound) + 2 * around) // (rate // 50))
    whole = np.zeros(frames * (rate // 50), np.int16)
    whole[around : around + len(sound)] = sound
    whole.setflags(write=False)
    return whole
