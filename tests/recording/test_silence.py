import numpy as np
import pytest

from recording.silence import GUARD_MS, SILENT_PEAK, heard_span_ms, trimmed_span_ms
from tests.recording.making import Samples


class Sound:
    sample_rate = 8000

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def read(self, at_ms: int, count_ms: int) -> Samples | None:
        piece = self.samples[at_ms * 8 : (at_ms + count_ms) * 8]
        return piece if piece.any() else None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 39_999), (12_345, 12_345), (79, 8000), (39_999, 39_999)])
def test_sound_is_found_to_its_first_and_last_sample(first: int, last: int, sign: int) -> None:
    samples = np.full(40_000, sign * SILENT_PEAK, np.int16)
    samples[first] = samples[last] = sign * (SILENT_PEAK + 1)
    start_ms, end_ms = heard_span_ms(Sound(samples), 5000) or (-1, -1)
    assert start_ms * 8 <= first < start_ms * 8 + 80
    assert end_ms * 8 - 80 <= last < end_ms * 8


def test_full_negative_scale_is_loud() -> None:
    samples = np.zeros(8000, np.int16)
    samples[4000] = -32768
    assert heard_span_ms(Sound(samples), 1000) == (500, 510)


def test_silence_has_no_span() -> None:
    assert heard_span_ms(Sound(np.zeros(8000, np.int16)), 1000) is None
    assert heard_span_ms(Sound(np.full(8000, -SILENT_PEAK, np.int16)), 1000) is None
    assert heard_span_ms(Sound(np.zeros(0, np.int16)), 0) is None


def test_trimming_leaves_a_guard_where_there_is_something_to_leave() -> None:
    assert trimmed_span_ms((2000, 3000), 5000) == (2000 - GUARD_MS, 3000 + GUARD_MS)
    assert trimmed_span_ms((40, 4960), 5000) == (0, 5000)
