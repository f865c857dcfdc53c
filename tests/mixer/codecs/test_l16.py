"""L16: network byte order both ways."""

import numpy as np
import pytest

from mixer.codecs import l16


def test_bytes_are_big_endian():
    payload = np.array([[0x12, 0x34, 0xFF, 0xFE, 0x80, 0x00, 0x7F, 0xFF]], np.uint8)
    out = np.zeros((1, 4), np.float32)
    l16.decode(payload, out)
    assert out.tolist() == [[0x1234, -2, -32768, 32767]]
    again = np.zeros((1, 8), np.uint8)
    l16.encode(out.astype(np.int16), again)
    assert np.array_equal(again, payload)


@pytest.mark.parametrize("samples", [160, 320, 480, 960])
def test_rows_of_a_ring_at_odd_offsets_survive_the_round_trip(samples):
    random = np.random.default_rng(2)
    frames = random.integers(-32768, 32768, (5, samples)).astype(np.int16)
    rows = np.zeros((5, 3, 2 * samples + 13), np.uint8)
    payload = rows[:, 1, 13:]
    l16.encode(frames, payload)
    assert payload[2].tobytes() == frames[2].astype(">i2").tobytes()
    assert not rows[:, [0, 2]].any() and not rows[:, 1, :13].any()
    out = np.zeros((5, samples), np.float32)
    l16.decode(payload, out)
    assert np.array_equal(out, frames)
