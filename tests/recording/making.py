"""Recordings as a recorder process would make them, tick by tick, with sound that tells when it was made."""

import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from recording.catalog import RecorderConfig, folder_name
from recording.recorder import Recorder

STARTED = 1_700_000_000.0
TICK_S = 0.02
Samples = npt.NDArray[np.int16]
Track = tuple[int, int, Samples]


def config_in(directory: Path, **changes: Any) -> RecorderConfig:
    values: dict[str, Any] = {
        "recording_id": str(uuid.uuid4()),
        "directory": str(directory),
        "conference_id": "5d7c1f9e-0000-4000-8000-000000000001",
        "project_id": "p1",
        "conference_name": "../a name with / in it",
        "started_unix_s": STARTED,
        "trim": False,
        "tracks": True,
    }
    return RecorderConfig(**(values | changes))


def recorder_in(directory: Path, **changes: Any) -> Recorder:
    config = config_in(directory, **changes)
    return Recorder(directory, config, lambda: STARTED)


def tone(tick: int, rate: int, hz: float = 440.0, peak: float = 8000.0) -> Samples:
    """The tick's 20 ms of a tone that runs on from tick to tick."""
    at = tick * (rate // 50) + np.arange(rate // 50)
    return np.rint(peak * np.sin(2 * np.pi * hz * at / rate)).astype(np.int16)


def counted(tick: int, rate: int) -> Samples:
    """A tone whose pitch counts seconds: second n has 300 + 20 * (n % 50) Hz, and begins with its phase at zero."""
    second, within = divmod(tick, 50)
    at = (within * (rate // 50) + np.arange(rate // 50)) / rate
    sound: Samples = np.rint(8000.0 * np.sin(2 * np.pi * (300 + 20 * (second % 50)) * at)).astype(np.int16)
    return sound


def record(
    recorder: Recorder, ticks: Sequence[int] | range, rate: int = 8000, tracks: Sequence[int] = (), hz: float = 440.0
) -> None:
    """A tone in the mix and in tracks, synced as a process would."""
    for tick in ticks:
        sound = tone(tick, rate, hz)
        recorder.frame(tick, (rate, sound), [(index, rate, sound) for index in tracks])
        if tick % 3 == 0:
            recorder.sync(tick * TICK_S)


def published(directory: Path, recorder_or_id: str) -> Path:
    return directory / folder_name(recorder_or_id)


def decoded(path: Path) -> tuple[int, Samples]:
    """All of a file by FFmpeg's library: its rate, and (channels, n) samples."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16p")
        rate = container.streams.audio[0].rate
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    return rate, np.concatenate([frame.to_ndarray() for frame in frames], axis=1)


def probed(path: Path) -> dict[str, str]:
    """What ffprobe says of a file's only stream, once it has decoded all of it."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream", "-of", "default=nw=1", path]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if "=" in line)
