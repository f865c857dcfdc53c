"""How a sound goes on by itself: linear prediction from its last 25 ms, driven by what drove it before.

What the filter does not explain of the last pitch period, the residual, is repeated and filtered again: the voice's
pulses go on, through the mouth as it was. Unlike a period repeated as it is, that has no seam, and it follows the
formants. How long it is believed, and how loud it stays, is for the caller to say.
"""

from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

ORDER: Final = 32
_ANALYSED_MS: Final = 25.0
_FADED_IN_MS: Final = 23.0
"""Of the window; it falls in what is left, so that the latest counts most."""
_WHITENING: Final = 1e-4
"""Noise that is assumed to be in the sound, so that what is between tones stays defined."""
_MEMORY: Final = 0.99
"""The filter's poles are drawn in by so much at 8 kHz: a resonance dies out, and in time for `_RESPONSE_MS`."""
_MEMORY_HZ: Final = 8_000
_RESPONSE_MS: Final = 64.0

Frames = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]


def go_on(history: Frames, period: npt.NDArray[np.int32], drive: Frames, sample_rate: int, samples: int) -> Frames:
    """Return what comes next of each row, (m, samples) float32, no louder than the row ever was.

    `history`: (m, H) float32, at least 40 ms, latest last; `period`: (m,) the pitch period, at least 1 and at most
    15 ms; `drive`: (m,) 0 to 1, how much of the residual is repeated; `samples`: at most 20 ms.
    """
    past = history.astype(np.float64)
    filters = _filters(past, sample_rate)
    longest = int(period.max())
    residual = past[:, -longest:] - _predicted(past[:, -longest - ORDER :], filters, longest)
    phase = np.arange(samples) % period[:, np.newaxis]
    drives = np.take_along_axis(residual, phase + (longest - period)[:, np.newaxis], axis=1)
    drives *= drive[:, np.newaxis]
    # What the filter still rings of the past is the same as the answer to this, added to a filter at rest.
    ringing = np.concatenate([past[:, -ORDER:], np.zeros((len(past), ORDER))], axis=1)
    begun = min(ORDER, samples)
    drives[:, :begun] += _predicted(ringing, filters, ORDER)[:, :begun]
    size = 1 << (round(_RESPONSE_MS * sample_rate / 1000) - 1).bit_length()
    inverse = np.concatenate([np.ones((len(past), 1)), -filters], axis=1)
    sound = np.fft.irfft(np.fft.rfft(drives, size) / np.fft.rfft(inverse, size), size)[:, :samples]
    loudest = np.abs(past).max(axis=1, keepdims=True)
    return np.clip(sound, -loudest, loudest).astype(np.float32)


def _predicted(sound: Wide, filters: Wide, samples: int) -> Wide:
    """What the filters make of the `ORDER` samples before each of the last ones, (m, samples)."""
    before = sliding_window_view(sound, ORDER, axis=1)[:, -samples - 1 : -1]
    predicted: Wide = np.matmul(before, filters[:, ::-1, np.newaxis])[:, :, 0]
    return predicted


def _filters(past: Wide, sample_rate: int) -> Wide:
    """Each row's prediction from its last `ORDER` samples, the latest first: (m, ORDER)."""
    window = _window(sample_rate)
    size = 1 << (window.size + ORDER - 1).bit_length()
    spectrum = np.fft.rfft(past[:, -window.size :] * window, size)
    alike = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:, : ORDER + 1]
    alike[:, 0] = alike[:, 0] * (1 + _WHITENING) + 1.0
    apart = np.abs(np.subtract.outer(np.arange(ORDER), np.arange(ORDER)))
    filters = np.linalg.solve(alike[:, apart], alike[:, 1:, np.newaxis])[:, :, 0].astype(np.float64, copy=False)
    filters *= np.power(_MEMORY ** (_MEMORY_HZ / sample_rate), np.arange(1, ORDER + 1))
    return filters


@cache
def _window(sample_rate: int) -> Wide:
    samples, rising = (round(ms * sample_rate / 1000) for ms in (_ANALYSED_MS, _FADED_IN_MS))
    up, down = np.linspace(0, np.pi / 2, rising), np.linspace(0, np.pi / 2, samples - rising)
    window: Wide = np.concatenate([np.sin(up) ** 2, np.cos(down) ** 2])
    return window
