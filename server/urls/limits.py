"""How much of our time and memory a foreign server may take.

Decides the limits of each use of the guarded client. They hold per fetch, all redirects included, except where a
comment says otherwise.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one fetch; passing one ends it with a `FetchError`."""

    connect_s: float = 5
    """For resolving, connecting and the TLS handshake; of each hop."""
    read_s: float = 5
    """Between two arrivals of bytes, and for getting rid of our own."""
    total_s: float = 15
    """From the first look-up to the last byte, however regularly bytes trickle in."""
    max_body_bytes: int = 1 << 20
    """Of the body, as it is after decompression."""
    max_header_bytes: int = 32 << 10
    """Of all response headers of one hop."""
    max_redirects: int = 0
    """Hops followed; with 0 a redirect is an answer like any other."""


PROMPT: Final = Limits(connect_s=2, read_s=5, total_s=10, max_body_bytes=20 << 20, max_redirects=3)
"""Music, announcements and documents: the room waits for them with something else to hear."""

WEBHOOK: Final = Limits(connect_s=5, read_s=15, total_s=15, max_body_bytes=4 << 10)
"""Callbacks: the answer's status counts; of its body only the start is kept, with `read_start`."""
