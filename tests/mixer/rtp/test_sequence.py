import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixer.rtp.sequence import difference, extend, extend32


@given(st.integers(0, 1 << 40), st.integers(-0x8000, 0x7FFF))
def test_extend_finds_the_nearest_number_with_these_low_bits(previous: int, step: int) -> None:
    assert extend(previous, (previous + step) & 0xFFFF) == previous + step


@given(st.integers(0, 1 << 50), st.integers(-0x8000_0000, 0x7FFF_FFFF))
def test_extend32_finds_the_nearest_number_with_these_low_bits(previous: int, step: int) -> None:
    assert extend32(previous, (previous + step) & 0xFFFF_FFFF) == previous + step


@given(st.integers(0, 0xFFFF_FFFF), st.integers(-0x8000_0000, 0x7FFF_FFFF))
def test_difference_is_what_was_added(older: int, step: int) -> None:
    assert difference((older + step) & 0xFFFF_FFFF, older, 32) == step


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 0xFFFF)), min_size=1))
def test_arrays_agree_with_numbers(pairs: list[tuple[int, int]]) -> None:
    previous, low = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    assert extend(previous, low.astype(np.int32)).tolist() == [extend(p, s) for p, s in pairs]
    assert extend32(previous, low * 65537).tolist() == [extend32(p, s * 65537) for p, s in pairs]
    assert difference(low, previous, 16).tolist() == [difference(s, p, 16) for p, s in pairs]


def test_a_count_may_go_below_zero() -> None:
    assert extend(1, 0xFFFE) == -2
