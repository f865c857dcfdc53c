"""Levels in dBov: known signals have known levels."""

import numpy as np
import pytest

from mixer.dsp.levels import dbov


def rows(*signals) -> np.ndarray:
    return np.stack(signals).astype(np.float32)


@pytest.mark.parametrize("samples", [160, 320, 480, 960])
def test_known_signals_have_known_levels(samples):
    t = np.arange(samples)
    square = np.where(t % 2, 32768.0, -32768.0)
    sine = 32768 * np.sin(2 * np.pi * 10 * t / samples)
    levels = dbov(rows(square, sine, sine / 10, sine / 1000, np.zeros(samples)))
    assert levels.dtype == np.float32 and levels.shape == (5,)
    assert levels == pytest.approx([0, -3.01, -23.01, -63.01, -127], abs=0.01)


def test_levels_are_bounded():
    loud, faint = np.full(160, 1e6), np.full(160, 1e-6)
    assert dbov(rows(loud, faint)).tolist() == [0.0, -127.0]


def test_the_loudest_mulaw_square_wave_is_just_below_the_reference():
    assert dbov(rows(np.full(160, 32124.0))) == pytest.approx([-0.17], abs=0.01)


def test_frames_are_left_as_they_are_and_no_rows_are_fine():
    frames = rows(np.arange(160.0))
    dbov(frames)
    assert np.array_equal(frames[0], np.arange(160))
    assert dbov(np.zeros((0, 160), np.float32)).shape == (0,)


def test_rows_of_a_larger_table_are_measured():
    table = np.zeros((4, 3, 160), np.float32)
    table[:, 1] = 32768
    assert dbov(table[:, 1]) == pytest.approx([0] * 4, abs=1e-4)
