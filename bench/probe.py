"""How long sound takes through the server: bursts that are sent are found again in what a listener got.

A moment is a packet's time plus the place in the packet, on both sides, so packet time itself is not counted: a mixer
that answered each packet at once, unchanged, would add no delay. Kept from everything that runs while measuring:
packets are only noted then, and read afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.voices import SAMPLE_RATE, Codec, Voice, mulaw_decoded, opus_decoded

THRESHOLD: Final = 13_000
"""Between the loudest of all talkers together and a burst, in 16-bit units."""
_REST_S: Final = 0.1
"""A burst is over when nothing was loud for so long."""
_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Heard:
    """A packet the listener got."""

    sequence: int
    arrival_ns: int
    payload: bytes


@dataclass(frozen=True)
class Delay:
    """What bursts took, over a run."""

    p50_ms: float | None
    p95_ms: float | None
    heard: int
    sent: int


def burst_places(codec: Codec, voice: Voice) -> dict[int, int]:
    """Packet of the loop → ns into it, for each burst that begins there, as a decoder hears it.

    The loop is decoded twice over, the second time for the result: so it is as heard in the middle of a stream.
    """
    packets = [bytes(row[:n]) for row, n in zip(voice.payload, voice.length.tolist(), strict=True)]
    samples = _decoded(codec, packets * 2)
    return {
        packet - len(packets): offset_ns
        for packet, offset_ns in onsets(samples, SAMPLE_RATE[codec])
        if packet >= len(packets)
    }


def onsets(packets: Sequence[NDArray[np.float64]], rate: int) -> list[tuple[int, int]]:
    """(packet, ns into it) of each first loud sample after a rest. `packets`: samples of each, in order."""
    found = []
    quiet = rest = int(_REST_S * rate)
    for number, samples in enumerate(packets):
        at = 0
        for loud in np.flatnonzero(np.abs(samples) > THRESHOLD).tolist():
            if quiet + loud - at >= rest:
                found.append((number, loud * _NS // rate))
            quiet, at = 0, loud + 1
        quiet += len(samples) - at
    return found


def measure(codec: Codec, heard: Sequence[Heard], sent_ns: Sequence[int]) -> Delay:
    """Match what `heard` holds to the bursts sent at `sent_ns`, in order.

    Bursts are sent at even intervals by talkers in turn; one heard belongs to the last one sent before it, so delays
    up to that interval can be told.
    """
    ordered = _in_order(heard)
    samples = _decoded(codec, [h.payload for h in ordered])
    moments = [ordered[packet].arrival_ns + offset for packet, offset in onsets(samples, SAMPLE_RATE[codec])]
    sent = np.array(sent_ns, np.int64)
    place = np.searchsorted(sent, moments, side="right") - 1
    matched = {
        int(p): moment - int(sent[p]) for p, moment in reversed(list(zip(place, moments, strict=True))) if p >= 0
    }
    delays_ms = np.array(list(matched.values())) / 1e6
    if len(delays_ms) == 0:
        return Delay(None, None, 0, len(sent))
    p50, p95 = np.percentile(delays_ms, (50, 95)).tolist()
    return Delay(p50, p95, len(delays_ms), len(sent))


def _in_order(heard: Sequence[Heard]) -> list[Heard]:
    """By sequence number, which wraps; a run is far shorter than half a round from its first packet."""
    if not heard:
        return []
    first = heard[0].sequence
    return sorted(heard, key=lambda h: (h.sequence - first + 0x8000) & 0xFFFF)


def _decoded(codec: Codec, packets: list[bytes]) -> list[NDArray[np.float64]]:
    if codec == "opus":
        return opus_decoded(packets)
    return [mulaw_decoded(np.frombuffer(packet, np.uint8)).astype(np.float64) for packet in packets]
