"""Sound files: anything FFmpeg's libraries read comes in as PCM, what was heard goes out as WAV.

Both work a block at a time, so that a file may be longer than memory. PCM is int16, mono.
"""

import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.audio.resampler import AudioResampler

from server.caller.codecs import Pcm, pcm_of
from server.caller.errors import CallerError


def read_sound(path: Path, rate: int) -> Iterator[Pcm]:
    """Decode an audio file to mono PCM at `rate` Hz, block by block.

    Raises:
        CallerError: there is no such file, or no sound in it (raised before the first block).
    """
    try:
        container = av.open(path)
    except FileNotFoundError as error:
        raise CallerError(f"There is no file {path}.") from error
    except (OSError, av.FFmpegError) as error:
        raise CallerError(f"Cannot read {path} as a sound file: {error}.") from error
    if not container.streams.audio:
        container.close()
        raise CallerError(f"There is no sound in {path}.")
    return _blocks(container, path, rate)


def _blocks(container: av.container.InputContainer, path: Path, rate: int) -> Iterator[Pcm]:
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    with container:
        try:
            for frame in container.decode(container.streams.audio[0]):
                for part in resampler.resample(frame):
                    yield pcm_of(part)
        except (OSError, av.FFmpegError) as error:
            raise CallerError(f"{path} breaks off: {error}.") from error
        for part in resampler.resample(None):
            yield pcm_of(part)


class WavWriter:
    """A mono 16-bit WAV file that is complete after every write, so that no interruption can spoil it.

    Raises:
        CallerError: the file cannot be made.
    """

    def __init__(self, path: Path, rate: int) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("wb")
        except OSError as error:
            raise CallerError(f"Cannot write {path}: {error.strerror}.") from error
        self._wave = wave.open(self._file, "wb")  # noqa: SIM115 - closed by close()
        self._wave.setnchannels(1)
        self._wave.setsampwidth(2)
        self._wave.setframerate(rate)
        self._wave.writeframes(b"")
        self._file.flush()
        self.samples = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, pcm: Pcm) -> None:
        """Append samples; the header is put right each time."""
        if len(pcm):
            self._wave.writeframes(pcm.astype("<i2").tobytes())
            self._file.flush()
            self.samples += len(pcm)

    def close(self) -> None:
        """Finish the file. A second time does nothing."""
        self._wave.close()
        self._file.close()


def write_wav(path: Path, pcm: Pcm, rate: int) -> None:
    """Write a whole sound at once."""
    with WavWriter(path, rate) as wav:
        wav.write(pcm)


def read_wav(path: Path) -> tuple[Pcm, int]:
    """Read a mono 16-bit WAV file back: PCM and rate in Hz."""
    with wave.open(str(path), "rb") as wav:
        pcm = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.int16)
        return pcm, wav.getframerate()
