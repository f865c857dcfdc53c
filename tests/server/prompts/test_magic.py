import pytest

from server.prompts.magic import audio_format


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "wav"),
        (b"RF64\xff\xff\xff\xffWAVEds64", "wav"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", None),
        (b"fLaC\x00\x00\x00\x22", "flac"),
        (b"OggS\x00\x02", "ogg"),
        (b"ID3\x03\x00\x00", "mp3"),
        (b"\xff\xfb\x90\x64", "mp3"),  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz
        (b"\xff\xf3\x40\xc4", "mp3"),  # MPEG 2
        (b"\xff\xe3\x18\xc4", "mp3"),  # MPEG 2.5
        (b"\xff\xfd\x90\x64", None),  # layer II
        (b"\xff\xf1\x50\x80", None),  # AAC in ADTS
        (b"\xff\xeb\x90\x64", None),  # a reserved version
        (b"\xff\xfb\xf0\x64", None),  # a forbidden bit rate
        (b"\xff\xfb\x9c\x64", None),  # a reserved sample rate
        (b"\xff\xd8\xff\xe0", None),  # JPEG
        (b"\xff\xfe<\x00", None),  # UTF-16
        (b"#EXTM3U\n", None),
        (b"ffconcat version 1.0\n", None),
        (b"v=0\r\n", None),
        (b"<?xml", None),
        (b"\x1f\x8b\x08", None),
        (b"", None),
        (b"\xff", None),
        (b"RIFF", None),
    ],
)
def test_the_first_bytes_alone_tell_the_format(data: bytes, expected: str | None) -> None:
    assert audio_format(data) == expected
