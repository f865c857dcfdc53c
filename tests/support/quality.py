"""Speech quality by PESQ (ITU-T P.862), where it is installed: it comes as C source and needs a compiler.

A test that calls `pesq` without it is skipped, not failed.
"""

import importlib

import numpy as np
import pytest
from numpy.typing import NDArray


def pesq(sample_rate: int, reference: NDArray[np.float32], heard: NDArray[np.float32], band: str) -> float:
    """Return the score, about 1 (bad) to 4.6, of `heard` against `reference`, both (samples,) in ±1.0.

    `band`: "nb" at 8000 Hz, "wb" at 16000 Hz.
    """
    try:
        module = importlib.import_module("pesq")
    except ImportError:
        pytest.skip("PESQ is not installed; `make setup` builds it where there is a C compiler")
    return float(module.pesq(sample_rate, reference, heard, band))
