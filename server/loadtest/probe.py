"""How long sound takes through the server: bursts that are sent are found again in what a listener got.

A moment is a packet's time plus the place in the packet, on both sides, so packet time itself is not counted: a mixer
that answered each packet at once, unchanged, would add no delay. Kept from everything that runs while measuring:
packets are only noted then, and read afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from server.caller.codecs import Pcm, codec
from server.loadtest.voices import ROUND_TICKS, TICKS_PER_S, Voice, decoded

THRESHOLD: Final = 13_000
"""Between the loudest of all talkers together and a burst, in 16-bit units."""
_REST_S: Final = 0.1
"""A burst is over when nothing was loud for so long."""
LONGEST_MS: Final = 1000.0 * ROUND_TICKS / TICKS_PER_S
_AGREE_MS: Final = 60.0
"""Bursts of one stream may take so much more or less: talkers send at different moments of the mixer's tick, and its
buffers grow and shrink."""
_NEAR_MS: Final = 145.0
"""Less than half the time between two bursts."""
_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Heard:
    """A packet the listener got."""

    sequence: int
    arrival_ns: int
    payload: bytes


class Sent(NamedTuple):
    """A burst, said at a time by a caller."""

    at_ns: int
    caller: int


class Echo(NamedTuple):
    """A burst that was heard again."""

    sent_ns: int
    caller: int
    delay_ms: float


@dataclass(frozen=True)
class Delay:
    """What bursts took, over a run."""

    p50_ms: float | None
    p95_ms: float | None
    heard: int
    sent: int


def burst_places(name: str, voice: Voice) -> dict[int, int]:
    """Packet of the loop → ns into it, for each burst that begins there, as a decoder hears it.

    The loop is decoded twice over, the second time for the result: so it is as heard in the middle of a stream.
    """
    packets = [bytes(row[:n]) for row, n in zip(voice.payload, voice.length.tolist(), strict=True)]
    samples = decoded(name, packets * 2)
    return {
        packet - len(packets): offset_ns
        for packet, offset_ns in onsets(samples, codec(name).sample_rate)
        if packet >= len(packets)
    }


def onsets(packets: Sequence[Pcm], rate: int) -> list[tuple[int, int]]:
    """(packet, ns into it) of each first loud sample after a rest. `packets`: samples of each, in order."""
    found = []
    quiet = rest = int(_REST_S * rate)
    for number, samples in enumerate(packets):
        at = 0
        for loud in np.flatnonzero(np.abs(samples.astype(np.int32)) > THRESHOLD).tolist():
            if quiet + loud - at >= rest:
                found.append((number, loud * _NS // rate))
            quiet, at = 0, loud + 1
        quiet += len(samples) - at
    return found


def echoes(name: str, heard: Sequence[Heard], sent: Sequence[Sent], together: int | None = None) -> list[Echo]:
    """Match the bursts that `heard` holds to those sent, in order.

    The delay that most of the bursts agree on is taken for the delay; each burst's own is looked for near it.
    `together`: as many bursts are asked, from each one on; None: all, as the delay stays about what it is.
    """
    ordered = _in_order(heard)
    samples = decoded(name, [h.payload for h in ordered])
    moments = np.array(
        [ordered[packet].arrival_ns + offset for packet, offset in onsets(samples, codec(name).sample_rate)], np.int64
    )
    sent_ns = np.array([one.at_ns for one in sent], np.int64)
    delays_ms = matched_ms(sent_ns, moments) if together is None else _by_turns_ms(sent_ns, moments, together)
    return [
        Echo(one.at_ns, one.caller, delay_ms)
        for one, delay_ms in zip(sent, delays_ms.tolist(), strict=True)
        if not np.isnan(delay_ms)
    ]


def delay(echoed: Sequence[Echo], sent: int) -> Delay:
    """Sum up what came back of so many bursts."""
    if not echoed:
        return Delay(None, None, 0, sent)
    p50, p95 = np.percentile([echo.delay_ms for echo in echoed], (50, 95)).tolist()
    return Delay(p50, p95, len(echoed), sent)


def _by_turns_ms(sent_ns: NDArray[np.int64], heard_ns: NDArray[np.int64], together: int) -> NDArray[np.float64]:
    delays = np.full(len(sent_ns), np.nan)
    for number in range(len(sent_ns)):
        first = max(0, min(number, len(sent_ns) - together))
        delays[number] = matched_ms(sent_ns[first : first + together], heard_ns)[number - first]
    return delays


def matched_ms(sent_ns: NDArray[np.int64], heard_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    """(sent,) ms: delay of each burst, NaN of one not heard; of several that agree equally well the shortest."""
    apart_ms = (heard_ns[None, :] - sent_ns[:, None]) / 1e6
    possible = np.sort(apart_ms[(apart_ms >= 0) & (apart_ms < LONGEST_MS)])
    if len(possible) == 0:
        return np.full(len(sent_ns), np.nan)
    agreeing = np.searchsorted(possible, possible + _AGREE_MS, side="right") - np.arange(len(possible))
    first = int(np.argmax(agreeing))
    common = float(np.median(possible[first : first + int(agreeing[first])]))
    off_ms = np.abs(apart_ms - common)
    off_ms[(apart_ms < 0) | (off_ms > _NEAR_MS)] = np.inf
    closest = off_ms.argmin(axis=1)
    everyone = np.arange(len(sent_ns))
    return np.where(np.isfinite(off_ms[everyone, closest]), apart_ms[everyone, closest], np.nan)


def _in_order(heard: Sequence[Heard]) -> list[Heard]:
    """By sequence number, which wraps; a run is far shorter than half a round from its first packet."""
    if not heard:
        return []
    first = heard[0].sequence
    return sorted(heard, key=lambda h: (h.sequence - first + 0x8000) & 0xFFFF)
