"""Decompression hands out what fits, piece by piece, and no more."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.urls.body import decoder
from server.urls.errors import FetchError


@given(st.binary(max_size=5000), st.integers(1, 700))
def test_gzip_is_undone_in_pieces_of_any_size(body: bytes, piece_bytes: int) -> None:
    packed = gzip.compress(body)
    coding = decoder(" GZip ")
    pieces = [packed[start : start + piece_bytes] for start in range(0, len(packed), piece_bytes)]
    assert b"".join(coding.feed(piece, 5000) for piece in pieces) == body
    coding.finish()


@pytest.mark.parametrize("room_bytes", [0, 1, 999])
def test_at_most_one_byte_comes_out_that_there_is_no_room_for(room_bytes: int) -> None:
    assert len(decoder("gzip").feed(gzip.compress(bytes(1 << 20)), room_bytes)) == room_bytes + 1


def test_no_body_needs_no_end() -> None:
    decoder("gzip").finish()
    decoder("").finish()
    decoder("identity").finish()


def test_an_early_end_is_noticed() -> None:
    coding = decoder("x-gzip")
    coding.feed(gzip.compress(b"x" * 100)[:-1], 1000)
    with pytest.raises(FetchError) as failed:
        coding.finish()
    assert failed.value.code == "protocol_error"
