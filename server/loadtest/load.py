"""What a load is made of: how many call, in how many conferences, who of them talks, and what the network loses.

How large one may be is decided here too: a mistyped number must not take the machine down.
"""

from dataclasses import dataclass
from typing import Final

from server.caller.codecs import CODEC_NAMES

MOST_CALLERS: Final = 5000
"""Whom one load generator, on one core, can play."""
MOST_CALLERS_APART: Final = 500
"""The same for a server on another machine, where every caller needs a socket of its own."""
MOST_SECONDS: Final = 24 * 3600.0
MOST_LOSS: Final = 0.9
MOST_PROBES: Final = 5


@dataclass(frozen=True, slots=True)
class Load:
    """Callers, numbered from 0. Conferences are of the same size and filled one after another.

    `talkers` is how many talk in each conference: the first to come. `loss` is the share of packets that are not sent,
    0..1. In the first conference the first `probes` of the talkers send bursts, and the last participant listens for
    them.

    Raises:
        ValueError: a load that cannot be made; the message says why.
    """

    codec: str
    participants: int
    talkers: int
    conferences: int = 1
    loss: float = 0.0

    def __post_init__(self) -> None:
        if self.codec not in CODEC_NAMES:
            raise ValueError(f"codec {self.codec!r} is none of {', '.join(CODEC_NAMES)}")
        if not 2 <= self.participants <= MOST_CALLERS:
            raise ValueError(f"{self.participants} callers: from 2 to {MOST_CALLERS} can be played")
        if self.conferences < 1 or self.participants % self.conferences or self.parties < 2:
            raise ValueError(
                f"{self.participants} callers cannot be shared out to {self.conferences} conferences of one size, "
                "two or more in each"
            )
        if not 0 <= self.talkers <= self.parties:
            raise ValueError(f"{self.talkers} talkers: a conference has {self.parties} participants")
        if not 0 <= self.loss <= MOST_LOSS:
            raise ValueError(f"a loss of {100 * self.loss:g} %: from 0 to {100 * MOST_LOSS:g} % can be played")

    @property
    def parties(self) -> int:
        """Participants of each conference."""
        return self.participants // self.conferences

    @property
    def probes(self) -> int:
        """How many send bursts."""
        return min(MOST_PROBES, self.talkers, self.parties - 1)

    @property
    def listener(self) -> int:
        """Who listens for the bursts."""
        return self.parties - 1

    def conference_of(self, participant: int) -> int:
        """Number of the participant's conference."""
        return participant // self.parties
