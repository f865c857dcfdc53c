"""Where a call's outgoing RTP stream begins, and where it goes on when its mixer could not say.

RFC 3550 section 5.1: the SSRC and the first sequence number and timestamp are random, so that nobody who did not see
the stream can guess them. They only ever move forward, through every mixer that plays on the call.
"""

import secrets
from dataclasses import replace
from typing import Final

from mixer.protocol import TICK_MS, OutgoingStream

SEQUENCE_MARGIN: Final = 64
"""Added to our estimate of the packets a dead mixer sent: a gap is harmless, a repeated number is not."""


def new_stream() -> OutgoingStream:
    """Return the start of a stream that nobody can guess."""
    return OutgoingStream(
        ssrc=secrets.randbelow(0xFFFFFFFF) + 1,
        sequence=secrets.randbelow(1 << 16),
        timestamp=secrets.randbelow(1 << 32),
    )


def carried_on(stream: OutgoingStream, known_at_ns: int, now_ns: int) -> OutgoingStream:
    """Return where a stream goes on after its mixer died.

    `stream` is what was known at `known_at_ns`. The sequence number jumps ahead of every packet the mixer can have
    sent since; the timestamp is moved on by the next mixer, which knows the codec's clock, by the time since `at_ns`.
    """
    ticks = max(0, now_ns - known_at_ns) // (TICK_MS * 1_000_000)
    return replace(
        stream,
        sequence=(stream.sequence + ticks + SEQUENCE_MARGIN) % (1 << 16),
        at_ns=stream.at_ns or known_at_ns,
    )
