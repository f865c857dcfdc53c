"""What a manifest says beside its files: a story told in seconds of the recording. Pure.

Decides that everything lies on the untrimmed room's time and within it, to the millisecond.
"""

from recording.attendance import Attendance
from recording.catalog.manifest import Gap, Pause, RecordedParticipant, Span
from recording.story import Story
from recording.timeline import TICK_MS, TICKS_PER_S, Timeline, skipped_ticks


class Summary:
    """Of a story whose recording is `length_ms` long and ended before `end_tick`."""

    def __init__(self, story: Story, length_ms: int, end_tick: int) -> None:
        self._story, self._length_ms, self._end_tick = story, length_ms, end_tick

    def place_ms(self, tick: int) -> int:
        """Where a tick is in the recording."""
        return max(0, min(self._length_ms, self._timeline.place(tick) * TICK_MS))

    def pauses(self) -> tuple[Pause, ...]:
        """In order."""
        told = []
        for pause in self._timeline.pauses:
            if pause.from_tick >= self._end_tick:
                continue
            until = self._end_tick if pause.until_tick is None else min(pause.until_tick, self._end_tick)
            skipped = skipped_ticks(pause, until)
            told.append(Pause(self._at_s(pause.from_tick), self._at_s(until), pause.behavior, skipped / TICKS_PER_S))
        return tuple(told)

    def gaps(self) -> tuple[Gap, ...]:
        """In order, without what a `skip` pause cut out anyway."""
        told = []
        for tick, ticks, reason in self._story.gaps:
            from_ms, to_ms = self.place_ms(tick), self.place_ms(tick + ticks)
            if to_ms > from_ms:
                told.append(Gap(from_ms / 1000, (to_ms - from_ms) / 1000, reason))
        return tuple(told)

    def participants(self, calls: list[Attendance]) -> tuple[RecordedParticipant, ...]:
        """Those whose presence is known, in the order they joined."""
        return tuple(
            RecordedParticipant(
                call.call_id,
                call.label,
                tuple(map(self._at_s, call.joins)),
                tuple(map(self._at_s, call.leaves)),
                *(
                    tuple(Span(self._at_s(since), self._at_s(until)) for since, until in call.spans[name])
                    for name in ("mutes", "holds", "coaching")
                ),
            )
            for call in calls
        )

    @property
    def _timeline(self) -> Timeline:
        return self._story.timeline

    def _at_s(self, tick: int) -> float:
        return self.place_ms(tick) / 1000
