"""What the lines of a journal say together: who was there when, pauses, gaps, which track is whose. Pure.

The recorder folds each line as it writes it, and repair folds those that a crash left, so both publish the same.
Decides how a track's number comes about: one for each call in the order in which they first sound, whatever
index the mixer gives it. Lines are not trusted: what makes no sense is passed over.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast, get_args

from recording.catalog.checking import MalformedError
from recording.catalog.messages import NoteKind, RecorderConfig, load_config
from recording.journal import Line
from recording.timeline import Behavior, Timeline

MOST_TICKS: Final = 31 * 24 * 3600 * 50
"""No recording is longer than a month: a tick beyond it is garbage."""

_KINDS: Final[tuple[NoteKind, ...]] = get_args(NoteKind)


class Happening:
    """Something of one call, at a tick that the mixer marked or that the server's clock stands for."""

    __slots__ = ("call_id", "kind", "label", "marked", "tick")

    def __init__(self, tick: int, kind: NoteKind, call_id: str, label: str | None, marked: bool) -> None:
        self.tick, self.kind, self.call_id, self.label, self.marked = tick, kind, call_id, label, marked


class Story:
    """Everything a journal has said so far."""

    def __init__(self) -> None:
        self.config: RecorderConfig | None = None
        self.timeline = Timeline()
        self.happenings: list[Happening] = []
        self.gaps: list[tuple[int, int, str]] = []
        """(first tick, ticks, reason), in order; what follows on each other for one reason is one."""
        self.call_ids: list[str | None] = []
        """Of each track, by its number; None as long as nobody said whose it is."""
        self.track_ticks: list[int] = []
        """When each track was first heard of."""
        self.last_tick = -1
        self.stopped = False
        self.finish_reason: str | None = None
        self.failure: str | None = None
        self.resumed_lost_ticks: int | None = None
        """What was lost where another recorder went on with a dead one's recording; None if none did."""
        self._numbers: dict[int, int] = {}

    def fold(self, lines: Iterable[Line]) -> None:
        """Take lines in."""
        for line in lines:
            self.take(line)

    def take(self, line: Line) -> None:
        """Take one line in."""
        tick = line.get("tick")
        if not isinstance(tick, int) or not 0 <= tick < MOST_TICKS:
            tick = None
        match line:
            case {"config": config}:
                self._take_config(config)
            case {"mark": dict() as mark} if tick is not None:
                self.last_tick = max(self.last_tick, tick - 1)
                self._take_mark(tick, mark)
            case {"note": dict() as note, "unix": float() | int() as unix_s} if math.isfinite(unix_s):
                self._take_call(self._tick_at(unix_s), note.get("kind"), note, marked=False)
            case {"gap": int() as ticks, "reason": str() as reason} if tick is not None and 0 < ticks < MOST_TICKS:
                self.last_tick = max(self.last_tick, tick + ticks - 1)
                self._take_gap(tick, ticks, reason)
            case {"resumed": int() as lost_ticks}:
                self.resumed_lost_ticks = (self.resumed_lost_ticks or 0) + max(0, lost_ticks)
            case {"seen": int() as last_tick} if last_tick < MOST_TICKS:
                self.last_tick = max(self.last_tick, last_tick)
            case {"failed": str() as failure}:
                self.failure = self.failure or failure
            case {"finish": str() as reason, "last_tick": int() as last_tick} if last_tick < MOST_TICKS:
                self.finish_reason = reason
                self.last_tick = max(self.last_tick, last_tick)
            case _:
                pass

    def track_number(self, index: int) -> int | None:
        """Of the track that the mixer's `index` means now; None if nobody said."""
        return self._numbers.get(index)

    def _take_config(self, config: object) -> None:
        try:
            self.config = self.config or load_config(config)
        except MalformedError:
            return

    def _take_mark(self, tick: int, mark: Mapping[str, Any]) -> None:
        match mark:
            case {"track": int() as index, "call_id": str() as call_id}:
                self._name_track(tick, index, call_id)
            case {"track": int() as index}:
                self._numbers[index] = self._new_track(tick, None)
            case {"pause": "silence" | "skip" as behavior}:
                self.timeline.pause(tick, cast(Behavior, behavior))
            case {"resume": _}:
                self.timeline.resume(tick)
            case {"stop": _}:
                self.stopped = True
            case _:
                for kind in _KINDS:
                    if kind in mark:
                        self._take_call(tick, kind, {"call_id": mark[kind], "label": mark.get("label")}, marked=True)

    def _name_track(self, tick: int, index: int, call_id: str) -> None:
        unnamed = self._numbers.get(index)
        if call_id in self.call_ids:
            self._numbers[index] = self.call_ids.index(call_id)
        elif unnamed is not None and self.call_ids[unnamed] is None:
            self.call_ids[unnamed] = call_id  # its sound came first
        else:
            self._numbers[index] = self._new_track(tick, call_id)

    def _new_track(self, tick: int, call_id: str | None) -> int:
        self.call_ids.append(call_id)
        self.track_ticks.append(tick)
        return len(self.call_ids) - 1

    def _take_call(self, tick: int, kind: object, told: Mapping[str, Any], *, marked: bool) -> None:
        call_id, label = told.get("call_id"), told.get("label")
        if kind in _KINDS and isinstance(call_id, str):
            label = label if isinstance(label, str) else None
            self.happenings.append(Happening(tick, kind, call_id, label, marked))

    def _take_gap(self, tick: int, ticks: int, reason: str) -> None:
        if self.gaps:
            first, so_far, before = self.gaps[-1]
            if before == reason and tick == first + so_far:
                self.gaps[-1] = (first, so_far + ticks, reason)
                return
        self.gaps.append((tick, ticks, reason))

    def _tick_at(self, unix_s: float) -> int:
        started = self.config.started_unix_s if self.config is not None else unix_s
        return max(0, min(MOST_TICKS, round((unix_s - started) * 50)))
