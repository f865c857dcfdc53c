"""Learning the address of a far end that was not given: who may become the call's one source.

Four packets in sequence, at least 22 ms from first to last, from one address with one SSRC and the agreed payload
type. Packets of another source in between start the count anew: whoever competes wins nothing, and until one source
has qualified no media goes out and none is taken in.
"""

from dataclasses import dataclass
from typing import Final

PACKETS: Final = 4
SPAN_NS: Final = 22_000_000


@dataclass(slots=True)
class SourceLearner:
    """The candidate of one leg."""

    source: int = 0
    ssrc: int = 0
    sequence: int = 0
    count: int = 0
    first_ns: int = 0

    def doubt(self) -> None:
        """Packets came that nobody looked at: any of them may have been a competitor's."""
        self.count = 0

    def feed(self, source: int, ssrc: int, sequence: int, arrival_ns: int) -> bool:
        """Take a valid packet of the agreed payload type; True when its source has qualified."""
        follows = self.count > 0 and (source, ssrc) == (self.source, self.ssrc)
        if follows and sequence == self.sequence:
            return False  # a duplicate proves nothing and disproves nothing
        if not follows or sequence != (self.sequence + 1) & 0xFFFF:
            self.source, self.ssrc, self.count, self.first_ns = source, ssrc, 0, arrival_ns
        self.sequence = sequence
        self.count += 1
        return self.count >= PACKETS and arrival_ns - self.first_ns >= SPAN_NS
