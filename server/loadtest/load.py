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
MOST_JITTER_MS: Final = 500.0
MOST_HOLD_MS: Final = 2000.0
HOLD_FROM_S: Final = 10.0
"""After the beginning of a window; until then everything is as it always is."""
HOLD_EVERY_S: Final = 25.0
"""From one time that everything is held to the next."""


@dataclass(frozen=True, slots=True)
class Load:
    """Callers, numbered from 0. Conferences are of the same size and filled one after another.

    `talkers` is how many talk in each conference: the first to come. In the first conference the first `probes` of the
    talkers send bursts, and the last participant listens for them.

    Of the network on the way to the server: `loss` is the share of packets that are not sent, 0..1; `jitter_ms` what
    each may take longer, evenly distributed; for `hold_ms` nothing arrives, HOLD_FROM_S after a window has opened and
    every HOLD_EVERY_S from then on, and then all of it at once. `reported_loss` is the share that all callers say is
    lost on the way back, 0: they say nothing.

    Raises:
        ValueError: a load that cannot be made; the message says why.
    """

    codec: str
    participants: int
    talkers: int
    conferences: int = 1
    loss: float = 0.0
    jitter_ms: float = 0.0
    hold_ms: float = 0.0
    reported_loss: float = 0.0

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
        if not 0 <= self.reported_loss <= MOST_LOSS:
            raise ValueError(
                f"a reported loss of {100 * self.reported_loss:g} %: 0 to {100 * MOST_LOSS:g} % can be said"
            )
        if not (0 <= self.jitter_ms <= MOST_JITTER_MS and 0 <= self.hold_ms <= MOST_HOLD_MS):
            raise ValueError(
                f"jitter of {self.jitter_ms:g} ms, all held for {self.hold_ms:g} ms: up to {MOST_JITTER_MS:g} and "
                f"{MOST_HOLD_MS:g} ms can be played"
            )

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
