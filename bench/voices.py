"""What participants say: packets made once, before the measurement, and sent over and over.

A talker's level falls with the number of talkers, so that all of them together stay well below the probe's bursts
and the limiter; a mixer has the same work whatever the level is. Speech is synthetic, but near enough to the real thing
that an Opus encoder takes it for speech.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final, Literal

import av
import numpy as np
from numpy.typing import NDArray

Codec = Literal["pcmu", "opus"]
TICKS_PER_S: Final = 50
SAMPLE_RATE: Final[dict[Codec, int]] = {"pcmu": 8000, "opus": 48_000}
PAYLOAD_TYPE: Final[dict[Codec, int]] = {"pcmu": 0, "opus": 111}

BURST_AMPLITUDE: Final = 26_000.0
BURST_S: Final = 0.005
BURST_HZ: Final = 1000.0
_ALL_TALKERS_DBOV: Final = -28.0
_LOUDEST_TALKER_DBOV: Final = -38.0
_IDLE_DBOV: Final = -70.0
_OPUS_BITRATE: Final = 32_000


@dataclass(frozen=True)
class Voice:
    """A loop of packets. `payload`: (packets, bytes) uint8, of which the first `length` of each row count."""

    payload: NDArray[np.uint8]
    length: NDArray[np.int64]


def talker_dbov(talkers: int) -> float:
    """Level of each of so many talkers."""
    return min(_LOUDEST_TALKER_DBOV, _ALL_TALKERS_DBOV - 10 * math.log10(max(talkers, 1)))


@cache
def talking(codec: Codec, talkers: int, seconds: int = 10, seed: int = 1) -> Voice:
    """A talker's loop; participants start at different places of it, so their voices are not the same."""
    return _encoded(codec, _speech(SAMPLE_RATE[codec], seconds, seed, talker_dbov(talkers)))


@cache
def idle(codec: Codec, seconds: int = 10) -> Voice:
    """The faint noise of a microphone nobody speaks into, as the codec sends it."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 32_768 * 10 ** (_IDLE_DBOV / 20), SAMPLE_RATE[codec] * seconds)
    return _encoded(codec, samples)


@cache
def probing(codec: Codec, talkers: int, seconds: int = 5) -> Voice:
    """A talker's loop with a burst in each second, half way through it."""
    rate = SAMPLE_RATE[codec]
    samples = _speech(rate, seconds, 2, talker_dbov(talkers))
    count = int(BURST_S * rate)
    burst = BURST_AMPLITUDE * np.cos(2 * np.pi * BURST_HZ * np.arange(count) / rate)
    for second in range(seconds):
        start = second * rate + rate // 2
        samples[start : start + count] = burst
    return _encoded(codec, samples)


def _speech(rate: int, seconds: int, seed: int, dbov: float) -> NDArray[np.float64]:
    """Syllables of random pitch, vowel and length, each begun by a hiss, as consonants are."""
    rng = np.random.default_rng(seed)
    wanted = rate * seconds
    sound = np.concatenate([_syllable(rng, rate) for _ in range(12 * seconds)])
    sound = sound[:wanted] + rng.normal(0, 0.001, wanted)
    scale = float(32_768 * 10 ** (dbov / 20) / np.sqrt(np.mean(sound**2)))
    return scale * sound


def _syllable(rng: np.random.Generator, rate: int) -> NDArray[np.float64]:
    hiss = rng.normal(0, 0.08, int(rate * rng.uniform(0.02, 0.07)))
    hiss = np.diff(hiss, prepend=0.0) * np.hanning(len(hiss))
    t = np.arange(int(rate * rng.uniform(0.09, 0.22))) / rate
    pitch = rng.uniform(95, 180) * (1 + rng.uniform(-0.25, 0.25) * t / t[-1]) * (1 + 0.01 * rng.normal(size=len(t)))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    vowel = ((rng.uniform(300, 800), 80.0, 1.0), (rng.uniform(900, 2200), 120.0, 0.5), (2700.0, 200.0, 0.2))
    voiced = np.zeros(len(t))
    for k in range(1, 25):
        gain = sum(a / (1 + ((k * pitch - centre) / width) ** 2) for centre, width, a in vowel)
        voiced += gain * np.sin(k * phase + k * k)
    return np.concatenate([hiss, voiced * np.sqrt(np.hanning(len(t)))])


def _encoded(codec: Codec, samples: NDArray[np.float64]) -> Voice:
    pcm = np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)
    frames = pcm.reshape(-1, SAMPLE_RATE[codec] // TICKS_PER_S)
    packets = [frame.tobytes() for frame in mulaw(frames)] if codec == "pcmu" else _opus(frames)
    payload = np.zeros((len(packets), max(map(len, packets))), np.uint8)
    for row, packet in enumerate(packets):
        payload[row, : len(packet)] = np.frombuffer(packet, np.uint8)
    return Voice(payload, np.array([len(packet) for packet in packets], np.int64))


def mulaw(pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    """G.711 µ-law of 16-bit samples, any shape."""
    magnitude = np.minimum(np.abs(pcm.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    code: NDArray[np.uint8] = (~(np.where(pcm < 0, 0x80, 0) | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return code


def mulaw_decoded(payload: NDArray[np.uint8]) -> NDArray[np.int32]:
    """16-bit samples of G.711 µ-law, any shape."""
    code = (~payload).astype(np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude)


def _opus(frames: NDArray[np.int16]) -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = SAMPLE_RATE["opus"]
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.bit_rate = _OPUS_BITRATE
    encoder.options = {"application": "voip", "frame_duration": "20"}
    packets = []
    for i, samples in enumerate(frames):
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE["opus"]
        frame.time_base = Fraction(1, SAMPLE_RATE["opus"])
        frame.pts = i * len(samples)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def opus_decoded(packets: list[bytes]) -> list[NDArray[np.float64]]:
    """Mono samples of each packet in 16-bit units, 48 kHz; an undecodable packet is no samples."""
    decoder = av.CodecContext.create("libopus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = SAMPLE_RATE["opus"]
    decoder.layout = "mono"
    decoded = []
    for packet in packets:
        try:
            frames = decoder.decode(av.Packet(packet))
        except av.FFmpegError:
            frames = []
        scale = {"flt": 32_768.0, "fltp": 32_768.0}
        parts = [f.to_ndarray().reshape(-1) * scale.get(f.format.name, 1.0) for f in frames]
        decoded.append(np.concatenate(parts).astype(np.float64) if parts else np.zeros(0))
    return decoded
