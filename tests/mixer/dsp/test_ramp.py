"""Gains: bits untouched at 1.0, no steps where a gain changes."""

import numpy as np
import pytest

from mixer.dsp.ramp import apply_gain


def gains(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def noise(rows: int, samples: int = 160) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 5000, (rows, samples)).astype(np.float32)


def test_each_row_is_treated_by_its_own_gains():
    frames = noise(5)
    before = frames.copy()
    apply_gain(frames, gains(1, 0.5, 1, 0, 2), gains(1, 0.5, 0, 1, 2))
    assert frames[0].tobytes() == before[0].tobytes()
    assert np.array_equal(frames[1], before[1] * np.float32(0.5))
    falling = 1 - np.arange(1, 161) / 160
    assert frames[2] == pytest.approx(before[2] * falling, rel=1e-4, abs=1e-2)
    assert frames[3] == pytest.approx(before[3] * (1 - falling), rel=1e-4, abs=1e-2)
    assert np.array_equal(frames[4], before[4] * 2)


def test_a_frame_ends_at_exactly_the_new_gain():
    frames = np.full((3, 960), 1000, np.float32)
    apply_gain(frames, gains(1, 0.3, 0), gains(0, 1, 0.7))
    assert frames[:, -1] == pytest.approx([0, 1000, 700], abs=1e-3)
    assert frames[0, -1] == 0


def test_a_gain_that_changes_and_stays_makes_no_step():
    frames = np.full((3, 1, 160), 1000, np.float32)
    for frame, (old, new) in zip(frames, [(1, 1), (1, 0), (0, 0)], strict=True):
        apply_gain(frame, gains(old), gains(new))
    assert np.abs(np.diff(frames.reshape(-1))).max() <= 1000 / 160 + 1e-3


def test_rows_at_unity_are_not_even_read():
    frames = np.full((2, 160), np.nan, np.float32)
    before = frames.tobytes()
    apply_gain(frames, gains(1, 1), gains(1, 1))
    assert frames.tobytes() == before


def test_no_rows_are_fine():
    apply_gain(np.zeros((0, 160), np.float32), gains(), gains())
