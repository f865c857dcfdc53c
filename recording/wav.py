"""The header of our WAV files, which can change in place from open-ended to closed, and from RIFF to RF64.

Decides the layout: 80 bytes, always, so that the sound behind them never moves. While a file grows its sizes
are 2^32 - 1, which players take as "to the end of the file". Where the sizes fit 32 bits, it is closed as
plain RIFF with a JUNK chunk; where they don't, JUNK becomes the ds64 chunk of EBU Tech 3306 (RF64).
"""

import struct
from typing import Final

HEADER_BYTES: Final = 80
SAMPLE_BYTES: Final = 2
"""Of one channel's sample: 16-bit linear PCM, little-endian."""

_UNKNOWN: Final = 0xFFFFFFFF
_DS64_BYTES: Final = 28
_FMT_BYTES: Final = 16
_PCM: Final = 1


def open_header(sample_rate: int, channels: int = 1) -> bytes:
    """Of a file that still grows."""
    return _header(b"RIFF", _UNKNOWN, _junk(), sample_rate, channels, _UNKNOWN)


def closed_header(sample_rate: int, data_bytes: int, channels: int = 1) -> bytes:
    """Of a file that has `data_bytes` of sound behind its header."""
    riff_bytes = HEADER_BYTES - 8 + data_bytes
    if riff_bytes < _UNKNOWN:
        return _header(b"RIFF", riff_bytes, _junk(), sample_rate, channels, data_bytes)
    frames = data_bytes // (SAMPLE_BYTES * channels)
    ds64 = struct.pack("<4sIQQQI", b"ds64", _DS64_BYTES, riff_bytes, data_bytes, frames, 0)
    return _header(b"RF64", _UNKNOWN, ds64, sample_rate, channels, _UNKNOWN)


def _junk() -> bytes:
    return struct.pack("<4sI", b"JUNK", _DS64_BYTES) + bytes(_DS64_BYTES)


def _header(form: bytes, form_bytes: int, first: bytes, sample_rate: int, channels: int, data_bytes: int) -> bytes:
    frame_bytes = SAMPLE_BYTES * channels
    return b"".join(
        (
            struct.pack("<4sI4s", form, form_bytes, b"WAVE"),
            first,
            struct.pack(
                "<4sIHHIIHH",
                b"fmt ",
                _FMT_BYTES,
                _PCM,
                channels,
                sample_rate,
                sample_rate * frame_bytes,
                frame_bytes,
                8 * SAMPLE_BYTES,
            ),
            struct.pack("<4sI", b"data", data_bytes),
        )
    )
