"""Headers as other programs read them: open, closed, and past what 32 bits can count."""

import os
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from recording.capture import CaptureName
from recording.voices import Capture
from recording.wav import HEADER_BYTES, closed_header, open_header
from tests.recording.making import decoded, probed, tone

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe here")
FOUR_GIB = 1 << 32


def sparse(path: Path, rate: int, data_bytes: int, header: bytes) -> None:
    """A file of silence with a second of a tone at its very end."""
    end = np.concatenate([tone(tick, rate) for tick in range(50)]).tobytes()
    with path.open("wb") as file:
        file.write(header)
        file.truncate(HEADER_BYTES + data_bytes)
        file.seek(HEADER_BYTES + data_bytes - len(end))
        file.write(end)


def test_both_headers_are_as_long_as_they_say() -> None:
    for header in (open_header(8000), closed_header(8000, 320), closed_header(48_000, FOUR_GIB, 2)):
        assert len(header) == HEADER_BYTES


@pytest.mark.parametrize("channels", [1, 2])
def test_a_closed_file_is_plain_to_everyone(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "a.wav"
    sound = np.arange(1600, dtype=np.int16)
    path.write_bytes(closed_header(16_000, sound.nbytes, channels) + sound.tobytes())
    with wave.open(str(path)) as file:
        parameters = (file.getframerate(), file.getnchannels(), file.getsampwidth(), file.getnframes())
        assert parameters == (16_000, channels, 2, 1600 // channels)
        assert file.readframes(2000) == sound.tobytes()
    assert np.array_equal(decoded(path)[1], sound.reshape(-1, channels).T)


def test_an_open_file_plays_to_its_end_also_with_half_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = np.arange(1600, dtype=np.int16)
    for torn in (b"", b"x"):
        path.write_bytes(open_header(16_000) + sound.tobytes() + torn)
        assert np.array_equal(decoded(path)[1][0], sound)


@needs_ffprobe
def test_ffprobe_reads_open_and_closed_files(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = np.concatenate([tone(tick, 8000) for tick in range(50)]).tobytes()
    for header in (open_header(8000), closed_header(8000, len(sound))):
        path.write_bytes(header + sound)
        command = ["ffprobe", "-v", "fatal", "-show_entries", "stream", path]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "codec_name=pcm_s16le" in told.stdout
        assert "sample_rate=8000" in told.stdout
        assert "duration=1.000000" in told.stdout


def test_sizes_are_counted_in_64_bits_from_the_first_that_32_cannot_count() -> None:
    largest = 0xFFFFFFFE - HEADER_BYTES + 8
    assert closed_header(8000, largest)[:4] == b"RIFF"
    assert struct.unpack_from("<I", closed_header(8000, largest), 4) == (0xFFFFFFFE,)
    header = closed_header(8000, largest + 2)
    assert header[:4] == b"RF64"
    assert header[12:16] == b"ds64"
    sizes = (largest + 2 + HEADER_BYTES - 8, largest + 2, largest // 2 + 1)
    assert struct.unpack_from("<IQQQI", header, 16) == (28, *sizes, 0)
    assert struct.unpack_from("<I", header, 4) == struct.unpack_from("<I", header, 76) == (0xFFFFFFFF,)


def test_a_file_beyond_4_gib_is_read_at_its_far_end(tmp_path: Path) -> None:
    data_bytes = FOUR_GIB + 96_000 * 3600
    path = tmp_path / "mix-48000.wav"
    sparse(path, 48_000, data_bytes, open_header(48_000))
    folder_fd = os.open(tmp_path, os.O_RDONLY)
    capture = Capture(CaptureName(None, 48_000), folder_fd)
    assert capture.samples == data_bytes // 2
    first_ms = capture.first_sound_ms()
    assert first_ms is not None and first_ms // 1000 == capture.samples // 48_000 - 1
    capture.finish(capture.samples)
    capture.close()
    os.close(folder_fd)
    assert path.stat().st_blocks * 512 < 1_000_000
    with path.open("rb") as file:
        assert file.read(4) == b"RF64"
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.duration == data_bytes // 2
        container.seek(data_bytes // 2 - 24_000, stream=stream)
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(stream)]
    last = np.concatenate([tone(tick, 48_000) for tick in range(50)])
    assert np.array_equal(np.concatenate(frames)[-20_000:], last[-20_000:])


@needs_ffprobe
def test_ffprobe_reads_the_length_of_a_file_beyond_4_gib(tmp_path: Path) -> None:
    data_bytes = FOUR_GIB + 96_000
    path = tmp_path / "a.wav"
    sparse(path, 48_000, data_bytes, closed_header(48_000, data_bytes))
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts,codec_name", "-of", "default=nw=1", path]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["codec_name=pcm_s16le", f"duration_ts={data_bytes // 2}"]
    assert told.stderr == ""


@needs_ffprobe
def test_ffprobe_decodes_all_of_a_closed_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sound = np.concatenate([tone(tick, 8000) for tick in range(50)]).tobytes()
    path.write_bytes(closed_header(8000, len(sound)) + sound)
    assert probed(path)["duration_ts"] == "8000"
