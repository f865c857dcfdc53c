"""Pieces of PCM into files: WAV by ourselves, with holes for silence; FLAC, Ogg Opus and MP3 by FFmpeg.

Decides formats and their settings. Each function writes one whole file, made durable; whose name it gets and
when is the caller's. What the disk refuses comes as OSError, also out of FFmpeg.
"""

import errno
import os
from collections.abc import Iterable
from typing import Final, cast

import av
import numpy as np
import numpy.typing as npt

from recording.disk import open_file, path_below, write_all
from recording.wav import HEADER_BYTES, SAMPLE_BYTES, closed_header

Piece = npt.NDArray[np.int16]
"""(channels, n) samples, or (n,) of one channel."""

_LAYOUTS: Final = {1: "mono", 2: "stereo"}
_CODECS: Final = {
    # Of format, codec, container, sample format, bits per second and channel.
    "flac": ("flac", "flac", "s16", None),
    "ogg": ("libopus", "ogg", "s16", 40_000),
    "mp3": ("libmp3lame", "mp3", "s16p", 64_000),
}


def write_wav(name: str, folder_fd: int, rate: int, channels: int, frames: int, pieces: Iterable[Piece | int]) -> None:
    """Write a WAV file of `frames` samples a channel. A piece that is a number stands for so much silence."""
    frame_bytes = SAMPLE_BYTES * channels
    fd = open_file(name, folder_fd, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, closed_header(rate, frames * frame_bytes, channels), 0)
        offset = HEADER_BYTES
        for piece in pieces:
            if isinstance(piece, int):
                offset += piece * frame_bytes
                continue
            content = np.ascontiguousarray(piece.T).astype("<i2", copy=False).tobytes()
            write_all(fd, content, offset)
            offset += len(content)
        os.ftruncate(fd, HEADER_BYTES + frames * frame_bytes)
        os.fsync(fd)
    finally:
        os.close(fd)


def encode(name: str, folder_fd: int, form: str, rate: int, channels: int, pieces: Iterable[Piece | int]) -> None:
    """Write a file of the format `form`: flac, ogg or mp3. A number among the pieces is so much silence."""
    os.close(open_file(name, folder_fd, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))  # refuses a link in its place
    try:
        _encode(path_below(folder_fd, name), form, rate, channels, pieces)
    except av.FFmpegError as error:
        raise OSError(error.errno if 0 < (error.errno or 0) < 200 else errno.EIO, str(error)) from error
    fd = open_file(name, folder_fd, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _encode(path: str, form: str, rate: int, channels: int, pieces: Iterable[Piece | int]) -> None:
    codec, container, sample_format, bit_rate = _CODECS[form]
    layout = _LAYOUTS[channels]
    at = 0
    with av.open(path, "w", format=container) as output:
        stream = cast(av.AudioStream, output.add_stream(codec, rate=rate))
        stream.layout = layout
        stream.format = sample_format
        if bit_rate is not None:
            stream.bit_rate = bit_rate * channels
        for piece in pieces:
            samples = np.zeros((channels, piece), np.int16) if isinstance(piece, int) else piece.reshape(channels, -1)
            interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, at
            at += samples.shape[1]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
