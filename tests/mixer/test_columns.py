"""Columns grow without losing what they hold."""

import numpy as np

from mixer.columns import grown


def test_rows_stay_and_new_ones_are_filled() -> None:
    column = np.array([3, 4], np.int32)
    np.testing.assert_array_equal(grown(column, 4), [3, 4, 0, 0])
    filled = grown(column, 4, -1)
    np.testing.assert_array_equal(filled, [3, 4, -1, -1])
    assert filled.dtype == np.int32


def test_rows_of_more_than_one_number() -> None:
    larger = grown(np.ones((2, 3), bool), 3)
    assert larger.shape == (3, 3)
    assert larger[:2].all()
    assert not larger[2].any()
