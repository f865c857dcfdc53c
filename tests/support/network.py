"""A link that loses, delays, reorders and duplicates by a seed, on virtual time."""

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a link does to datagrams, each on its own."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """Share that is held back by `reorder_ms`, so that later ones overtake."""
    reorder_ms: float = 30.0
    duplicate_ms: float = 0.0
    """How much later than the first the copy comes."""
    jitter_ms: float = 0.0
    """Uniform extra delay."""
    delay_ms: float = 3.0


class Link:
    """Datagrams in with a time, out in order of arrival."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        self.conditions = conditions
        self._random = np.random.default_rng(seed)
        self._flying: list[tuple[int, int, bytes]] = []
        self._count = 0
        self._held_ns = (0, 0)
        self.lost = 0

    def hold(self, from_ns: int, until_ns: int) -> None:
        """Nothing arrives in this time; what would have, comes at its end, all at once."""
        self._held_ns = (from_ns, until_ns)

    def send(self, datagram: bytes, now_ns: int) -> None:
        """Put a datagram on the link."""
        c, chance = self.conditions, self._random.random(4)
        if chance[0] < c.loss:
            self.lost += 1
            return
        delay_ms = c.delay_ms + c.jitter_ms * chance[1] + (c.reorder_ms if chance[2] < c.reorder else 0.0)
        for copy in range(1 + (chance[3] < c.duplicate)):
            arrival_ns = now_ns + int((delay_ms + copy * c.duplicate_ms) * 1e6)
            if self._held_ns[0] <= arrival_ns < self._held_ns[1]:
                arrival_ns = self._held_ns[1]
            heapq.heappush(self._flying, (arrival_ns, self._count, datagram))
            self._count += 1

    def arrived(self, until_ns: int) -> list[tuple[int, bytes]]:
        """Take what has arrived by `until_ns`: (arrival_ns, datagram)."""
        out = []
        while self._flying and self._flying[0][0] <= until_ns:
            arrival_ns, _, datagram = heapq.heappop(self._flying)
            out.append((arrival_ns, datagram))
        return out
