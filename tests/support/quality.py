"""Speech quality by PESQ (ITU-T P.862) and STOI. PESQ may be missing: it comes as C source and needs a compiler.

A test that calls `pesq` without it is skipped, not failed.
"""

import importlib
import importlib.util
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Sound = NDArray[np.floating[Any]]

_LONGEST_DELAY_S = 0.5


def has_pesq() -> bool:
    """Whether PESQ is installed."""
    return importlib.util.find_spec("pesq") is not None


def pesq(sample_rate: int, reference: Sound, heard: Sound, band: str) -> float:
    """Return the score, about 1 (bad) to 4.6, of `heard` against `reference`, both (samples,) in ±1.0.

    `band`: "nb" at 8000 Hz, "wb" at 16000 Hz. The scale of a pair does not matter, as long as both have the same.
    """
    try:
        module = importlib.import_module("pesq")
    except ImportError:
        pytest.skip("PESQ is not installed; `make setup` builds it where there is a C compiler")
    return float(module.pesq(sample_rate, reference, heard, band))


def stoi(sample_rate: int, reference: Sound, heard: Sound) -> float:
    """Return how much of `heard` is understood, 0 to 1; delayed by up to half a second against `reference`."""
    module = importlib.import_module("pystoi")
    delay = delay_samples(reference, heard, round(sample_rate * _LONGEST_DELAY_S))
    length = min(len(reference), len(heard) - delay)
    return float(module.stoi(reference[:length], heard[delay : delay + length], sample_rate))


def delay_samples(reference: Sound, heard: Sound, longest: int) -> int:
    """By how many samples, 0 to `longest`, `heard` is behind `reference`: where they are most alike."""
    size = 1 << (len(reference) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(reference, size)), size)
    return int(np.argmax(product[: longest + 1]))
