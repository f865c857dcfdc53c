"""RFC 6464 levels out of header extensions, good, odd and hostile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.rtp.extension import UNKNOWN, audio_levels


def packet(elements: bytes, profile: int = 0xBEDE, csrcs: int = 0) -> bytes:
    elements += bytes(-len(elements) % 4)
    head = bytes([0x90 | csrcs, 111]) + bytes(10) + bytes(4 * csrcs)
    return head + profile.to_bytes(2) + (len(elements) // 4).to_bytes(2) + elements + b"payload"


def level(datagram: bytes, extension_id: int = 1) -> int:
    data = np.zeros((1, 256), np.uint8)
    data[0, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    return int(audio_levels(data, np.array([0]), np.array([extension_id]))[0])


@pytest.mark.parametrize(
    ("datagram", "expected"),
    [
        (packet(bytes([0x10, 0x85])), 0x85),
        (packet(bytes([0x10, 0x85]), csrcs=3), 0x85),
        (packet(bytes([0x32, 1, 2, 3, 0, 0, 0x10, 0x7F])), 0x7F),
        (packet(bytes([0x20, 0x85])), UNKNOWN),
        (packet(bytes([0x11, 0x85, 0])), UNKNOWN),
        (packet(bytes([0xF0, 0, 0x10, 0x85])), UNKNOWN),
        (packet(bytes([0x10, 0x85]), profile=0x1000), UNKNOWN),
        (packet(b""), UNKNOWN),
        (bytes([0x80, 111]) + bytes(30), UNKNOWN),
    ],
)
def test_levels(datagram: bytes, expected: int) -> None:
    assert level(datagram) == expected


def test_a_leg_without_the_extension_is_not_looked_at() -> None:
    assert level(packet(bytes([0x10, 0x85])), extension_id=0) == UNKNOWN


@given(st.lists(st.binary(min_size=13, max_size=64), min_size=1, max_size=8))
def test_whatever_comes_nothing_raises(datagrams: list[bytes]) -> None:
    data = np.zeros((len(datagrams), 64), np.uint8)
    for row, datagram in enumerate(datagrams):
        data[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
    data[:, 0] |= 0x90
    found = audio_levels(data, np.arange(len(datagrams)), np.full(len(datagrams), 1))
    assert ((found >= UNKNOWN) & (found <= 255)).all()
