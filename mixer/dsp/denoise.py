"""Takes steady noise out of one voice: WebRTC's suppressor, at any rate the mixer knows.

The suppressor is that of the package `webrtc-noise-gain`, which is optional, and works on 10 ms at 16 kHz. Sound at
another rate goes there and back. What 16 kHz cannot hold of a wider band is kept beside it and turned down by as much
as the suppressor turns down the upper half of what it hears, so that a voice stays as bright as it was and its hiss
does not stay when the rest of the noise goes. All of that takes time: a voice comes `delay_samples` later, 6 ms at
16 kHz, 8 ms at 24 and 48 kHz, 10 ms at 8 kHz. Who is denoised, and when, is decided elsewhere.
"""

import importlib
import importlib.util
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer.dsp.resample import Resampler

MODULE: Final = "webrtc_noise_gain"
LEVELS: Final = {"low": 1, "medium": 2, "high": 3}
"""What the suppressor calls them: noise falls by about 6, 12 or 18 dB."""

_RATE: Final = 16_000
_SAMPLES: Final = _RATE // 50
_PART: Final = _SAMPLES // 2
_LAG: Final = 96
"""Of the suppressor, in samples: the overlap of its transform."""
_OPENING: Final = 0.5
_CLOSING: Final = 0.25
"""How much of its way the upper band's gain goes in a frame, up and down."""

Frame = NDArray[np.float32]


def load() -> Any:
    """The class of the package's suppressors. ImportError if it is not installed."""
    return importlib.import_module(MODULE).AudioProcessor


class Denoiser:
    """One voice's. Raises ImportError without the package, KeyError for a level not of LEVELS, ValueError for a rate.

    `sample_rate`: Hz, one of `resample.SAMPLE_RATES`.
    """

    def __init__(self, sample_rate: int, level: str) -> None:
        self._suppressor = load()(0, LEVELS[level])
        self._samples = sample_rate // 50
        self._down, self._up = Resampler(sample_rate, _RATE), Resampler(_RATE, sample_rate)
        there_and_back = self._down.delay_samples * sample_rate // _RATE + self._up.delay_samples
        self.delay_samples = _LAG * sample_rate // _RATE + there_and_back
        self._low = np.zeros(_SAMPLES, np.float32)
        self._clean = np.zeros(_SAMPLES, np.float32)
        self._upper = _UpperBand(self.delay_samples) if sample_rate > _RATE else None

    def process(self, frame: Frame, out: Frame) -> None:
        """Denoise the voice's next 20 ms.

        `frame`: (S,) float32 in int16 units; `out`: (S,) float32, contiguous, written in place; may be `frame`.
        """
        self._down.process(frame, self._low)
        np.clip(np.rint(self._low), -32768, 32767, out=self._clean)
        pcm = self._clean.astype(np.int16)
        for part in (slice(0, _PART), slice(_PART, _SAMPLES)):
            self._clean[part] = np.frombuffer(self._suppressor.Process10ms(pcm[part].tobytes()).audio, np.int16)
        if self._upper is None:
            self._up.process(self._clean, out)
            return
        kept = self._upper.keep(frame, self._low, self._clean)
        self._up.process(self._clean, out)
        out += kept

    def flush(self) -> None:
        """Forget the sound that has not come out yet, but not what is known of its noise."""
        self.process(np.zeros(self._samples, np.float32), np.zeros(self._samples, np.float32))


class _UpperBand:
    """What is above 8 kHz of one voice: the whole of it without its lower band, both as late as the denoised one."""

    def __init__(self, delay_samples: int) -> None:
        self._whole = np.zeros(delay_samples, np.float32)
        self._low = np.zeros(_LAG, np.float32)
        self._gain = 1.0

    def keep(self, frame: Frame, low: Frame, clean: Frame) -> Frame:
        """What of the upper band is to be added once `clean` is at the rate of `frame` again.

        Takes the lower band out of `clean`, in place, as much of it as is in what is returned.
        """
        self._whole, whole = _delayed(self._whole, frame)
        self._low, low = _delayed(self._low, low)
        before = self._gain
        self._gain = self._follow(low, clean)
        clean -= low * np.linspace(before, self._gain, len(low), dtype=np.float32)
        kept: Frame = whole * np.linspace(before, self._gain, len(whole), dtype=np.float32)
        return kept

    def _follow(self, low: Frame, clean: Frame) -> float:
        """By differences, as these are mostly made of what is just below the band that is missing."""
        noisy, denoised = np.diff(low), np.diff(clean)
        power = float(noisy @ noisy)
        if power < len(low):
            return self._gain
        aim = min(1.0, float(np.sqrt(denoised @ denoised / power)))
        return self._gain + (aim - self._gain) * (_OPENING if aim > self._gain else _CLOSING)


def _delayed(kept: Frame, new: Frame) -> tuple[Frame, Frame]:
    """What to keep for the next time, and as many samples as are new, the oldest."""
    line = np.concatenate([kept, new])
    return line[len(new) :], line[: len(new)]
