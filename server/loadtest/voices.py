"""What participants say: packets made once, before the measurement, and sent over and over.

A talker's level falls with the number of talkers, so that all of them together stay well below the probe's bursts
and the limiter; a mixer has the same work whatever the level is. Speech is synthetic, but near enough to the real thing
that an Opus encoder takes it for speech.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from server.caller.codecs import Pcm, as_int16, codec, decoder, encoder

TICKS_PER_S: Final = 50
ROUND_TICKS: Final = 125
BURST_TICKS: Final = (10, 25, 55, 75, 110)
"""When in a round bursts are sent, by those who do in turn. No two are as far apart as two others, so that it can be
told which one is heard, as long as the delay is less than a round."""
BURST_AMPLITUDE: Final = 26_000.0
BURST_S: Final = 0.005
BURST_HZ: Final = 1000.0
_ALL_TALKERS_DBOV: Final = -28.0
_LOUDEST_TALKER_DBOV: Final = -38.0
_IDLE_DBOV: Final = -70.0
OPUS_BITRATE: Final = 32_000
"""bit/s of what talkers send."""


@dataclass(frozen=True)
class Voice:
    """A loop of packets. `payload`: (packets, bytes) uint8, of which the first `length` of each row count."""

    payload: NDArray[np.uint8]
    length: NDArray[np.int64]


def talker_dbov(talkers: int) -> float:
    """Level of each of so many talkers."""
    return min(_LOUDEST_TALKER_DBOV, _ALL_TALKERS_DBOV - 10 * math.log10(max(talkers, 1)))


@cache
def talking(name: str, talkers: int, seconds: int = 10, seed: int = 1) -> Voice:
    """A talker's loop; participants start at different places of it, so their voices are not the same."""
    return _encoded(name, speech(codec(name).sample_rate, seconds, seed, talker_dbov(talkers)))


@cache
def idle(name: str, seconds: int = 10) -> Voice:
    """The faint noise of a microphone nobody speaks into, as the codec sends it."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 32_768 * 10 ** (_IDLE_DBOV / 20), codec(name).sample_rate * seconds)
    return _encoded(name, samples)


@cache
def probing(name: str, talkers: int, turn: int = 0, probes: int = 1, rounds: int = 2) -> Voice:
    """The loop of the talker who is `turn`th of so many `probes`: speech, and bursts when it is his turn."""
    found = codec(name)
    samples = speech(found.sample_rate, rounds * ROUND_TICKS // TICKS_PER_S, 2 + turn, talker_dbov(talkers))
    count = int(BURST_S * found.sample_rate)
    burst = BURST_AMPLITUDE * np.cos(2 * np.pi * BURST_HZ * np.arange(count) / found.sample_rate)
    for tick in burst_ticks(turn, probes, rounds):
        start = tick * found.frame_samples
        samples[start : start + count] = burst
    return _encoded(name, samples)


def burst_ticks(turn: int, probes: int, rounds: int) -> list[int]:
    """When in his loop the `turn`th of so many probes sends a burst."""
    mine = [tick for number, tick in enumerate(BURST_TICKS) if number % probes == turn]
    return [ROUND_TICKS * number + tick for number in range(rounds) for tick in mine]


def speech(rate: int, seconds: int, seed: int, dbov: float) -> NDArray[np.float64]:
    """(rate * seconds,) samples in int16 units.

    Syllables of random pitch, vowel and length, each begun by a hiss, as consonants are.
    """
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


def _encoded(name: str, samples: NDArray[np.float64]) -> Voice:
    frames = as_int16(samples).reshape(-1, codec(name).frame_samples)
    packets = _opus(frames) if name == "opus" else _plain(name, frames)
    payload = np.zeros((len(packets), max(map(len, packets))), np.uint8)
    for row, packet in enumerate(packets):
        payload[row, : len(packet)] = np.frombuffer(packet, np.uint8)
    return Voice(payload, np.array([len(packet) for packet in packets], np.int64))


def _plain(name: str, frames: Pcm) -> list[bytes]:
    coder = encoder(codec(name))
    return [coder.encode(frame) for frame in frames]


def _opus(frames: Pcm) -> list[bytes]:
    """As browsers send a voice: what a server has to do depends on it."""
    rate = codec("opus").sample_rate
    coder = av.CodecContext.create("libopus", "w")
    assert isinstance(coder, av.AudioCodecContext)
    coder.sample_rate = rate
    coder.layout = "mono"
    coder.format = "s16"
    coder.bit_rate = OPUS_BITRATE
    coder.options = {"application": "voip", "frame_duration": "20"}
    packets = []
    for i, samples in enumerate(frames):
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = i * len(samples)
        packets += [bytes(packet) for packet in coder.encode(frame)]
    return packets


def decoded(name: str, packets: Sequence[bytes]) -> list[Pcm]:
    """Mono samples of each packet of a stream, in order; of one that makes no sense, none."""
    coder = decoder(codec(name))
    found = [coder.decode(packet) for packet in packets]
    return [np.zeros(0, np.int16) if samples is None else samples for samples in found]
