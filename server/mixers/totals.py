"""Figures of all mixers together, which never fall when a mixer ends and its counters go with it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mixer.protocol import Heartbeat

SILENT: Final = Heartbeat(legs=0, ticks=0, late_ticks=0, packets_in=0, packets_out=0, dropped={}, cpu_s=0.0)
"""What is known of a mixer before its first heartbeat."""


@dataclass(frozen=True, slots=True)
class MixerTotals:
    """Sums over the mixers of now and, for what is counted, of all that have ended since the start."""

    legs: int
    """Now."""
    mixers_running: int
    """Now, ready or starting."""
    ticks: int
    late_ticks: int
    packets_in: int
    packets_out: int
    dropped: dict[str, int]
    """Datagrams thrown away, by reason."""
    cpu_s: float
    mixers_started: int
    mixers_died: int
    """Ended without having been told to stop."""


class Tally:
    """Keeps what ended mixers have counted."""

    def __init__(self) -> None:
        self._ended = SILENT
        self.started = 0
        self.died = 0

    def fold(self, last: Heartbeat) -> None:
        """A mixer has ended; `last` is its last heartbeat."""
        self._ended = _sum([self._ended, last])

    def totals(self, running: Iterable[Heartbeat]) -> MixerTotals:
        """Sums, given the latest heartbeats of the mixers that run."""
        now = list(running)
        total = _sum([self._ended, *now])
        return MixerTotals(
            legs=sum(beat.legs for beat in now),
            mixers_running=len(now),
            ticks=total.ticks,
            late_ticks=total.late_ticks,
            packets_in=total.packets_in,
            packets_out=total.packets_out,
            dropped=total.dropped,
            cpu_s=total.cpu_s,
            mixers_started=self.started,
            mixers_died=self.died,
        )


def _sum(beats: list[Heartbeat]) -> Heartbeat:
    dropped: Counter[str] = Counter()
    for beat in beats:
        dropped.update(beat.dropped)
    return Heartbeat(
        legs=0,
        ticks=sum(beat.ticks for beat in beats),
        late_ticks=sum(beat.late_ticks for beat in beats),
        packets_in=sum(beat.packets_in for beat in beats),
        packets_out=sum(beat.packets_out for beat in beats),
        dropped=dict(dropped),
        cpu_s=sum(beat.cpu_s for beat in beats),
    )
