"""Who was there, from when until when, muted, on hold or coaching: a story's happenings made into spans. Pure.

Decides whose word counts: the mixer's marks have exact ticks, so what the server notes of the same call and kind
within two seconds is taken as the same thing. Everything a call was ends when it leaves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from recording.catalog.messages import NoteKind
from recording.story import Happening
from recording.timeline import TICKS_PER_S

_SAME_WITHIN_TICKS: Final = 2 * TICKS_PER_S

_BEGINS: Final[dict[NoteKind, str]] = {"muted": "mutes", "held": "holds", "coaching": "coaching"}
_ENDS: Final[dict[NoteKind, str]] = {"unmuted": "mutes", "unheld": "holds", "uncoached": "coaching"}

Spans = list[tuple[int, int]]


@dataclass(slots=True)
class Attendance:
    """One call's, in ticks; `leaves` has one less than `joins` if it was still there when the recording ended."""

    call_id: str
    label: str | None = None
    joins: list[int] = field(default_factory=list)
    leaves: list[int] = field(default_factory=list)
    spans: dict[str, Spans] = field(default_factory=lambda: {name: [] for name in _BEGINS.values()})
    """Of `mutes`, `holds` and `coaching`: (from, until before) ticks."""

    @property
    def present(self) -> bool:
        """Whether it has joined and not left."""
        return len(self.joins) > len(self.leaves)


def attendances(happenings: Iterable[Happening], end_tick: int, *, all_left: bool = False) -> list[Attendance]:
    """Of every call, in the order of their first joining. What lasts at `end_tick` ends there.

    `all_left`: that was the end of the conference, and so whoever was there left.
    """
    ordered = sorted(happenings, key=lambda happening: happening.tick)
    found: dict[str, Attendance] = {}
    for happening in ordered:
        call = found.setdefault(happening.call_id, Attendance(happening.call_id))
        call.label = happening.label or call.label
    open_since: dict[tuple[str, str], int] = {}
    for happening in _without_echoes(ordered):
        call = found[happening.call_id]
        tick = min(happening.tick, end_tick)
        kind = happening.kind
        if kind == "joined":
            if not call.present:
                call.joins.append(tick)
        elif kind == "left":
            _leave(call, tick, open_since)
        elif kind in _BEGINS:
            open_since.setdefault((call.call_id, _BEGINS[kind]), tick)
        elif kind in _ENDS:
            _close(call, _ENDS[kind], tick, open_since)
    for call in found.values():
        if call.present and all_left:
            _leave(call, end_tick, open_since)
        for name in call.spans:
            _close(call, name, end_tick, open_since)
    return sorted(found.values(), key=lambda call: call.joins[:1] or [end_tick])


def _leave(call: Attendance, tick: int, open_since: dict[tuple[str, str], int]) -> None:
    if not call.present:
        if call.joins:
            return  # left twice
        call.joins.append(0)  # it was there when the recording began
    call.leaves.append(tick)
    for name in call.spans:
        _close(call, name, tick, open_since)


def _close(call: Attendance, name: str, tick: int, open_since: dict[tuple[str, str], int]) -> None:
    since = open_since.pop((call.call_id, name), None)
    if since is not None and tick > since:
        call.spans[name].append((since, tick))


def _without_echoes(ordered: Sequence[Happening]) -> list[Happening]:
    """Without the notes that say what a mark says better."""
    marks: dict[tuple[str, str], list[int]] = {}
    for happening in ordered:
        if happening.marked:
            marks.setdefault((happening.call_id, happening.kind), []).append(happening.tick)
    return [happening for happening in ordered if happening.marked or not _is_echo(happening, marks)]


def _is_echo(note: Happening, marks: dict[tuple[str, str], list[int]]) -> bool:
    ticks = marks.get((note.call_id, note.kind), ())
    return any(abs(tick - note.tick) <= _SAME_WITHIN_TICKS for tick in ticks)
