"""Which audio format some bytes are in, told by how they begin and by nothing else.

A name or a content type is the sender's claim; a demuxer that is chosen by claim, or by trying all of them, can be
made to read a playlist that names our own files. Only four demuxers are ever chosen, and none of them follows names.
"""

from typing import Final, Literal

AudioFormat = Literal["wav", "mp3", "ogg", "flac"]
"""Also the name of libavformat's demuxer."""

_MP3_HEADER_BYTES: Final = 4


def audio_format(data: bytes) -> AudioFormat | None:
    """Return the format that `data` begins like, or None if that is not audio which can be played."""
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"fLaC":
        return "flac"
    if data[:4] == b"OggS":
        return "ogg"
    if data[:3] == b"ID3" or _is_mp3_frame(data[:_MP3_HEADER_BYTES]):
        return "mp3"
    return None


def _is_mp3_frame(header: bytes) -> bool:
    """Tell whether `header` opens an MPEG audio layer III frame (ISO 11172-3 section 2.4.1.3)."""
    if len(header) < _MP3_HEADER_BYTES:
        return False
    word = int.from_bytes(header)
    version, layer, bitrate, rate = (word >> 19) & 3, (word >> 17) & 3, (word >> 12) & 15, (word >> 10) & 3
    return word >> 21 == 0x7FF and version != 1 and layer == 1 and bitrate not in (0, 15) and rate != 3
