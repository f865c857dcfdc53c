"""The child that decodes one file: `python -m server.prompts.decode_child REPORT_FD FORMAT INPUT_FD RATE:FD...`.

It reads bytes that a stranger chose with a library written in C, so it first gives up everything but those
descriptors, a bounded memory and a few seconds of CPU (`confine`). Decides which codecs and which sizes are taken,
that damaged pieces are left out, and that sound is cut after `MAX_DURATION_S`. Levels are left as they are; several
channels become their mean.
"""

import io
import json
import os
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final, NoReturn

import av
import av.error
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from server.prompts.confine import confine
from server.prompts.resampling import SAMPLE_BYTES, Resampling, Sink

MAX_DURATION_S: Final = 600
MAX_CHANNELS: Final = 8
LOWEST_RATE_HZ: Final = 4_000
HIGHEST_RATE_HZ: Final = 192_000

MEMORY_BYTES: Final = 512 << 20
CPU_S: Final = 10
"""Ten minutes of the dearest codec take about 1.5 s of a 2020s core."""
_HIGHEST_OUTPUT_HZ: Final = 48_000
FILE_BYTES: Final = MAX_DURATION_S * _HIGHEST_OUTPUT_HZ * SAMPLE_BYTES

CODECS: Final = {
    "wav": {
        *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
        *("pcm_mulaw", "pcm_alaw", "adpcm_ms", "adpcm_ima_wav", "gsm_ms"),
    },
    "mp3": {"mp3", "mp3float"},
    "ogg": {"vorbis", "opus", "libopus", "flac"},
    "flac": {"flac"},
}
"""Format -> names of the decoders that may be opened for it."""


class Refusal(Exception):  # noqa: N818 - the file is refused; nothing went wrong
    """The file is not played. `code` is one of the package's error codes."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def main(arguments: list[str]) -> int:
    """Decode as the command line says and write the report; the exit status is 0 if there is a report."""
    report_fd, audio_format, input_fd = int(arguments[0]), arguments[1], int(arguments[2])
    outputs = {int(rate): int(fd) for rate, fd in (argument.split(":") for argument in arguments[3:])}
    av.logging.set_level(None)
    rehearse(tuple(outputs))
    confine(memory_bytes=MEMORY_BYTES, cpu_s=CPU_S, file_bytes=FILE_BYTES)
    report: dict[str, object]
    try:
        with os.fdopen(input_fd, "rb") as file:
            notes = decode(file, audio_format, tuple(outputs), lambda rate, data: _write_all(outputs[rate], data))
        report = {"notes": notes}
    except Refusal as refusal:
        report = {"code": refusal.code, "detail": refusal.detail}
    except MemoryError:
        report = {"code": "prompt_decode_failed", "detail": "decoding it takes more memory than is given to it"}
    except (av.error.FFmpegError, OSError, ValueError) as error:
        report = {"code": "prompt_decode_failed", "detail": f"it is damaged ({type(error).__name__})"}
    _write_all(report_fd, memoryview(json.dumps(report).encode()))
    return 0


def rehearse(rates: tuple[int, ...]) -> None:
    """Decode a file of our own, so that whatever is imported or opened late is there before the door is shut."""
    pcm = bytes(3200)
    sound = struct.pack("<HHIIHH", 1, 2, 16_000, 64_000, 4, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(sound)) + sound + b"data" + struct.pack("<I", len(pcm)) + pcm
    file = io.BytesIO(b"RIFF" + struct.pack("<I", len(body)) + body)
    decode(file, "wav", rates, lambda _rate, data: data.release())


def decode(file: BinaryIO, audio_format: str, rates: tuple[int, ...], sink: Sink) -> list[str]:
    """Decode `file` and hand mono int16 to `sink` piece by piece; return remarks for who chose the file.

    Raises Refusal, MemoryError, or FFmpegError for what libav does not understand.
    """
    container = av.open(
        file,
        "r",
        format=audio_format,
        metadata_errors="replace",
        io_open=_refuse_to_open,
        container_options={
            "format_whitelist": audio_format,
            "codec_whitelist": ",".join(sorted(CODECS[audio_format])),
            "protocol_whitelist": "none",
        },
    )
    with container:
        damage = Damage()
        resampling = Resampling(rates, sink, limit_s=MAX_DURATION_S)
        for frame in _frames(container, _checked_stream(container, audio_format), damage):
            _check(frame.layout.nb_channels, frame.sample_rate)
            resampling.push(frame)
            if resampling.is_full:
                break
        resampling.finish()
    if resampling.is_empty:
        raise Refusal("prompt_decode_failed", "there is no sound in it")
    notes = []
    if damage.pieces:
        notes.append(f"left out {damage.pieces} damaged pieces")
    if resampling.is_full:
        notes.append(f"cut after {MAX_DURATION_S} s")
    return notes


def _refuse_to_open(url: str, _flags: int, _options: object) -> NoReturn:
    raise PermissionError(f"a file may not open another: {url!r}")


def _checked_stream(container: InputContainer, audio_format: str) -> AudioStream:
    streams = container.streams.audio
    if not streams:
        raise Refusal("prompt_format", "there is no audio in it")
    context: AudioCodecContext = streams[0].codec_context
    if context.name not in CODECS[audio_format]:
        raise Refusal("prompt_format", f"{audio_format} of {context.name} is not played")
    _check(context.channels, context.sample_rate)
    context.thread_count = 1
    return streams[0]


def _check(channels: int, sample_rate: int) -> None:
    if not 1 <= channels <= MAX_CHANNELS:
        raise Refusal("prompt_format", f"{channels} channels are not played; up to {MAX_CHANNELS} are")
    if not LOWEST_RATE_HZ <= sample_rate <= HIGHEST_RATE_HZ:
        raise Refusal("prompt_format", f"a sample rate of {sample_rate} Hz is not played")


class Damage:
    """How many pieces of a file could not be decoded."""

    def __init__(self) -> None:
        self.pieces = 0


def _frames(container: InputContainer, stream: AudioStream, damage: Damage) -> Iterator[AudioFrame]:
    """Yield the frames that can be decoded. A file that breaks off ends there."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            damage.pieces += 1
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.error.FFmpegError:
            damage.pieces += 1
            continue
        for frame in frames:
            assert isinstance(frame, AudioFrame)
            yield frame


def _write_all(fd: int, data: memoryview) -> None:
    while data:
        data = data[os.write(fd, data) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
