"""Audio files made for one test, and what is heard in a clip."""

import contextlib
import io
import os
import struct
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from server.prompts.clip import RATES, Clip

TONE_HZ = 440.0
AMPLITUDE = 8000.0

ENCODERS = {
    "wav": ("wav", "pcm_s16le", "s16"),
    "mp3": ("mp3", "libmp3lame", "s16p"),
    "vorbis": ("ogg", "vorbis", "fltp"),
    "opus": ("ogg", "libopus", "s16"),
    "flac": ("flac", "flac", "s16"),
}


def tone(seconds: float, rate: int, hz: float = TONE_HZ, amplitude: float = AMPLITUDE) -> npt.NDArray[np.int16]:
    return np.rint(amplitude * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.int16)


def encoded(kind: str, seconds: float = 1.0, rate: int = 48_000, layout: str = "stereo") -> bytes:
    """A file of `kind` with the same tone in each channel."""
    container_format, codec, sample_format = ENCODERS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.codec_context.format = av.AudioFormat(sample_format)
        stream.codec_context.options = {"strict": "experimental"}  # libav's own Vorbis encoder
        samples = tone(seconds, rate)
        resampler = av.AudioResampler(sample_format, layout, rate)
        for start in range(0, len(samples), rate):
            piece = samples[start : start + rate]
            channels = np.repeat(piece[:, np.newaxis], stream.layout.nb_channels, axis=1).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="s16", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            for converted in resampler.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return file.getvalue()


def wav_header(*, channels: int = 1, rate: int = 8000, bits: int = 16, tag: int = 1, data_bytes: int = 0) -> bytes:
    """The first 44 bytes of a WAV file, whatever they claim."""
    block = channels * bits // 8
    sound = struct.pack("<HHIIHH", tag, channels, rate, (rate * block) & 0xFFFFFFFF, block & 0xFFFF, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(sound)) + sound + b"data" + struct.pack("<I", data_bytes)
    return b"RIFF" + struct.pack("<I", (len(body) + data_bytes) & 0xFFFFFFFF) + body


def wav(samples: npt.NDArray[np.int16], rate: int = 8000) -> bytes:
    return wav_header(rate=rate, data_bytes=2 * len(samples)) + samples.astype("<i2").tobytes()


def heard(clip: Clip, rate: int) -> npt.NDArray[np.int16]:
    """The clip's samples at one rate, and all of them."""
    size = os.fstat(clip.fds[rate]).st_size
    samples = np.frombuffer(os.pread(clip.fds[rate], size, 0), "<i2")
    assert len(samples) == clip.samples[rate]
    return samples


def peak_hz(samples: npt.NDArray[np.int16], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def rms(samples: npt.NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def made_clip(clip_id: str, seconds: float = 1.0) -> Clip:
    """A clip made here, of silence."""
    samples = {rate: int(seconds * rate) for rate in RATES}
    fds = {}
    for rate, count in samples.items():
        fds[rate] = os.memfd_create(clip_id)
        os.write(fds[rate], bytes(2 * count))
    return Clip(clip_id, round(1000 * seconds), samples, fds)


def open_files() -> list[str]:
    """What the descriptors of this process lead to."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        # The listing's own is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found.append(str(descriptor.readlink()))
    return found


def memory_files() -> int:
    """How many memory files this process has open."""
    return sum("memfd:" in target for target in open_files())
