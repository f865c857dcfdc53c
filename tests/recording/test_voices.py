"""Reading captures back: holes, edges, several rates as one."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recording.capture import CaptureName, CaptureWriter
from recording.voices import Capture, Voice
from tests.recording.making import Samples, tone


@pytest.fixture
def folder_fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def written(folder_fd: int, name: CaptureName, sounds: dict[int, Samples]) -> Capture:
    writer = CaptureWriter(name, folder_fd)
    for at, sound in sounds.items():
        writer.add(at, sound)
    writer.flush()
    writer.close()
    return Capture(name, folder_fd)


def test_what_was_written_is_read_and_all_else_is_silence(folder_fd: int) -> None:
    sound = np.arange(1, 161, dtype=np.int16)
    capture = written(folder_fd, CaptureName(None, 8000), {0: sound, 800_000: sound})
    assert capture.samples == 800_160
    assert capture.length_ms == 100_020
    assert np.array_equal(capture.read(-40, 80), np.r_[np.zeros(40, np.int16), sound[:40]])
    assert np.array_equal(capture.read(800_120, 80), np.r_[sound[120:], np.zeros(40, np.int16)])
    assert not capture.read(900_000, 10).any()
    assert capture.has_data(159, 1) and capture.has_data(800_000, 1)
    assert not capture.has_data(100_000, 600_000)
    assert capture.data_bytes < 20_000
    assert capture.first_sound_ms() == 0
    capture.close()


def test_a_voice_that_never_sounded_has_no_first_sound(folder_fd: int) -> None:
    capture = written(folder_fd, CaptureName(0, 8000), {0: np.zeros(160, np.int16)})
    voice = Voice([capture], 8000)
    assert voice.first_sound_ms() is None
    assert Voice([], 8000).length_ms == 0
    assert Voice([], 8000).read(0, 20) is None
    capture.close()


def test_files_of_two_rates_are_one_sound(folder_fd: int) -> None:
    before = np.concatenate([tone(tick, 8000) for tick in range(500, 550)])
    after = np.concatenate([tone(tick, 48_000) for tick in range(550, 600)])
    low = written(folder_fd, CaptureName(None, 8000), {80_000: before})
    high = written(folder_fd, CaptureName(None, 48_000), {528_000: after})
    voice = Voice([low, high], 48_000)
    assert (voice.length_ms, voice.first_sound_ms()) == (12_000, 10_000)
    assert voice.read(1000, 1000) is None
    heard = voice.read(10_000, 2000)
    assert heard is not None
    expected = np.concatenate([tone(tick, 48_000) for tick in range(500, 600)])
    error = np.abs(heard.astype(int) - expected)
    error[48_000 - 240 : 48_000 + 240] = 0
    error[:240] = 0
    assert error.max() < 10
    low.close()
    high.close()
