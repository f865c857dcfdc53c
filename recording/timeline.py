"""Ticks of the conference to places in the recording, through pauses. Pure arithmetic.

Decides that a pause and a resume take effect at a tick's beginning, that a `silence` pause leaves time as it
is, and that a `skip` pause takes none: what comes after it moves up.
"""

from dataclasses import dataclass
from typing import Final, Literal

TICK_MS: Final = 20
TICKS_PER_S: Final = 1000 // TICK_MS

Behavior = Literal["silence", "skip"]


@dataclass(slots=True)
class PausedTicks:
    """A pause from `from_tick` until before `until_tick`, or to the end if that is None."""

    from_tick: int
    until_tick: int | None
    behavior: Behavior


class Timeline:
    """The pauses so far, in order."""

    def __init__(self) -> None:
        self.pauses: list[PausedTicks] = []

    @property
    def paused(self) -> bool:
        """Whether a pause has begun and not ended."""
        return bool(self.pauses) and self.pauses[-1].until_tick is None

    def pause(self, tick: int, behavior: Behavior) -> None:
        """From `tick` on nothing is recorded. One that comes within another takes its place from there on."""
        if self.paused:
            if self.pauses[-1].behavior == behavior:
                return
            self.resume(tick)
        self.pauses.append(PausedTicks(self._not_before(tick), None, behavior))

    def resume(self, tick: int) -> None:
        """From `tick` on it is recorded again."""
        if self.paused:
            self.pauses[-1].until_tick = max(tick, self.pauses[-1].from_tick)

    def place(self, tick: int) -> int:
        """Where a tick's sound is in the recording, in ticks: later than before by what was skipped until then."""
        return tick - sum(skipped_ticks(pause, tick) for pause in self.pauses)

    def tick_at(self, place: int) -> int:
        """The first tick whose sound is at a place, or would be if it were not in a pause."""
        for pause in self.pauses:
            if place < pause.from_tick or pause.until_tick is None:
                break
            place += skipped_ticks(pause, pause.until_tick)
        return place

    def silent_ticks(self, from_tick: int, until_tick: int) -> int:
        """How many of these ticks are in pauses that take their time."""
        silent = (pause for pause in self.pauses if pause.behavior == "silence")
        return sum(_overlap(pause, from_tick, until_tick) for pause in silent)

    def _not_before(self, tick: int) -> int:
        return max(tick, self.pauses[-1].until_tick or 0) if self.pauses else tick


def skipped_ticks(pause: PausedTicks, before_tick: int) -> int:
    """How many ticks a pause cut out before `before_tick`."""
    return 0 if pause.behavior == "silence" else _overlap(pause, 0, before_tick)


def _overlap(pause: PausedTicks, from_tick: int, until_tick: int) -> int:
    until = until_tick if pause.until_tick is None else min(until_tick, pause.until_tick)
    return max(0, until - max(from_tick, pause.from_tick))
