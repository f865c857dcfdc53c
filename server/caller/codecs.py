"""The five codecs as a caller uses them: frames of PCM in, payloads out, and back.

G.711, G.722 and Opus go through PyAV (FFmpeg's and libopus's own code), L16 is plain numpy: nothing here is
shared with the mixer, so that a caller is an independent judge of what the mixer sends. PCM is int16, mono,
`(samples,)`.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

PACKET_MS: Final = 20
L16_RATES: Final = (8000, 16000, 24000, 48000)


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec's figures: `sample_rate` of its PCM and `clock_rate` of its RTP timestamps, both in Hz."""

    name: str
    payload_type: int
    sample_rate: int
    clock_rate: int

    @property
    def frame_samples(self) -> int:
        """Samples of PCM in one packet we send."""
        return self.sample_rate * PACKET_MS // 1000

    @property
    def clock_step(self) -> int:
        """RTP timestamp units in one packet we send."""
        return self.clock_rate * PACKET_MS // 1000


_CODECS: Final = {
    "pcmu": Codec("pcmu", 0, 8000, 8000),
    "pcma": Codec("pcma", 8, 8000, 8000),
    # RFC 3551 §4.5.2: G.722 samples at 16 kHz but its RTP clock says 8 kHz.
    "g722": Codec("g722", 9, 16000, 8000),
    "opus": Codec("opus", 111, 48000, 48000),
    "l16": Codec("l16", 96, 16000, 16000),
}
CODEC_NAMES: Final = tuple(_CODECS)
_AV_NAMES: Final = {"pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "g722": "g722", "opus": "libopus"}


class Encoder(Protocol):
    """Turns one frame of `Codec.frame_samples` into one payload. Keeps state from frame to frame."""

    def encode(self, frame: Pcm) -> bytes:
        """Return the payload."""
        ...


class Decoder(Protocol):
    """Turns payloads of one stream, in order, into PCM. Keeps state from payload to payload."""

    def decode(self, payload: bytes) -> Pcm | None:
        """Return the samples, or None if the payload makes no sense."""
        ...


def codec(name: str, sample_rate: int | None = None) -> Codec:
    """Look up a codec by its API name; `sample_rate` may be chosen for `l16` only.

    Raises:
        ValueError: unknown name, or a rate that the codec does not have.
    """
    found = _CODECS.get(name.lower())
    if found is None:
        raise ValueError(f"unknown codec {name!r}: use one of {', '.join(CODEC_NAMES)}")
    if sample_rate is None or sample_rate == found.sample_rate:
        return found
    if found.name != "l16" or sample_rate not in L16_RATES:
        raise ValueError(f"codec {found.name} cannot run at {sample_rate} Hz")
    return Codec("l16", found.payload_type, sample_rate, sample_rate)


def encoder(codec: Codec) -> Encoder:
    """Make a fresh encoder."""
    return _L16() if codec.name == "l16" else _AvEncoder(codec)


def decoder(codec: Codec) -> Decoder:
    """Make a fresh decoder."""
    return _L16() if codec.name == "l16" else _AvDecoder(codec)


def as_int16(pcm: NDArray[np.int16] | NDArray[np.float32] | NDArray[np.float64]) -> Pcm:
    """Round and clip float PCM in int16 units (full scale 32768) to int16; int16 passes through."""
    if pcm.dtype == np.int16:
        return np.ascontiguousarray(pcm, dtype=np.int16)
    return np.clip(np.rint(pcm), -32768, 32767).astype(np.int16)


def resample(pcm: Pcm, from_rate: int, to_rate: int) -> Pcm:
    """Change the sample rate of a whole sound, without delay: sample 0 stays sample 0."""
    if from_rate == to_rate or not len(pcm):
        return pcm
    resampler = AudioResampler(format="s16", layout="mono", rate=to_rate)
    frames = resampler.resample(_frame(pcm, from_rate)) + resampler.resample(None)
    return np.concatenate([pcm_of(frame) for frame in frames])


def pcm_of(frame: AudioFrame) -> Pcm:
    """The samples of a mono s16 frame."""
    return frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)


class _L16:
    """Big-endian 16-bit samples (RFC 3551 §4.5.11)."""

    def encode(self, frame: Pcm) -> bytes:
        return frame.astype(">i2").tobytes()

    def decode(self, payload: bytes) -> Pcm | None:
        if len(payload) % 2:
            return None
        return np.frombuffer(payload, dtype=">i2").astype(np.int16)


class _AvEncoder:
    def __init__(self, codec: Codec) -> None:
        self._context = _context(codec, "w")
        self._context.format = "s16"
        if codec.name == "opus":
            self._context.options = {"frame_duration": str(PACKET_MS), "application": "audio", "b": "48000"}
        self._rate = codec.sample_rate

    def encode(self, frame: Pcm) -> bytes:
        return b"".join(bytes(packet) for packet in self._context.encode(_frame(frame, self._rate)))


class _AvDecoder:
    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._context = _context(codec, "r")

    def decode(self, payload: bytes) -> Pcm | None:
        if not payload:
            return None  # to FFmpeg an empty packet means "the end", and it would decode nothing after it
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError:
            self._context = _context(self._codec, "r")
            return None
        return np.concatenate([pcm_of(frame) for frame in frames]) if frames else None


def _context(codec: Codec, mode: Literal["r", "w"]) -> AudioCodecContext:
    context = AudioCodecContext.create(_AV_NAMES[codec.name], mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = codec.sample_rate
    context.layout = "mono"
    return context


def _frame(pcm: Pcm, rate: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    return frame
