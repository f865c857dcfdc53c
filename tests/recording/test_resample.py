import itertools

import numpy as np
import numpy.typing as npt
import pytest

from recording.resample import CONTEXT_MS, resample

RATES = (8000, 16_000, 24_000, 48_000)
CHANGES = [change for change in itertools.product(RATES, RATES) if change[0] != change[1]]


def tone(rate: int, hz: float, from_ms: int, to_ms: int) -> npt.NDArray[np.float32]:
    at = np.arange(from_ms * rate // 1000, to_ms * rate // 1000) / rate
    return (10_000 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


@pytest.mark.parametrize(("from_hz", "to_hz"), CHANGES)
def test_a_tone_is_the_same_tone_at_the_same_place(from_hz: int, to_hz: int) -> None:
    for part in (0.02, 0.25, 0.42):
        hz = part * min(from_hz, to_hz)
        out = resample(tone(from_hz, hz, 1000 - CONTEXT_MS, 1500 + CONTEXT_MS), from_hz, to_hz)
        expected = tone(to_hz, hz, 1000, 1500)
        assert out.shape == expected.shape
        assert np.abs(out - expected).max() < 30  # 50 dB below


@pytest.mark.parametrize(("from_hz", "to_hz"), [change for change in CHANGES if change[0] > change[1]])
def test_what_the_lower_rate_cannot_have_is_gone(from_hz: int, to_hz: int) -> None:
    for part in (0.51, 0.6, 0.9):
        hz = part * to_hz
        if hz < from_hz / 2:
            out = resample(tone(from_hz, hz, 0, 500 + 2 * CONTEXT_MS), from_hz, to_hz)
            assert np.abs(out).max() < 20


@pytest.mark.parametrize(("from_hz", "to_hz"), [*CHANGES, (8000, 8000)])
def test_pieces_join_without_a_seam(from_hz: int, to_hz: int) -> None:
    noise = (
        np.random.default_rng(1).normal(0, 3000, from_hz // 10 + 2 * CONTEXT_MS * from_hz // 1000).astype(np.float32)
    )
    whole = resample(noise, from_hz, to_hz)
    per_ms = from_hz // 1000
    pieces = [
        resample(noise[at * per_ms : (at + count + 2 * CONTEXT_MS) * per_ms], from_hz, to_hz)
        for at, count in ((0, 1), (1, 39), (40, 60))
    ]
    assert np.allclose(np.concatenate(pieces), whole, atol=0.01)


def test_a_constant_stays_one() -> None:
    out = resample(np.full(8 * 108, 1000.0, np.float32), 8000, 48_000)
    assert np.abs(out - 1000.0).max() < 0.01
