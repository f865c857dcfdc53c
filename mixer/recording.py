"""What of a conference is recorded: the room as a silent listener hears it, and each leg's own voice as it came in.

Decides whose sound is a track's in a tick, and which tick it is: frame n is n x 20 ms after the recording began, also
when ticks were left out. It writes into a feed (`recording.feed`) and never waits for who reads it. Once nothing is
recorded there is no `Recording`, so that all of this costs a mixer one question a tick.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.dsp.levels import SILENCE_DBOV
from mixer.dsp.limiter import NOW, limit, unity
from mixer.dsp.mix import RateMix
from mixer.formats.base import FormatTable, Rows
from mixer.legs import Legs
from mixer.protocol import LogLine, Report
from recording.feed import NO_TRACK, FeedWriter, Voices

TICK_NS: Final = 20_000_000


class Recording:
    """One recording that runs. `ticking`: the mixer ticks, so that the next tick is the first; else it begins now.

    `writer` is this object's from now on. A feed that another mixer began goes on where the clock is.
    """

    def __init__(
        self,
        recording_id: str,
        writer: FeedWriter,
        tracks: bool,
        legs: Legs,
        tables: dict[int, FormatTable],
        report: Callable[[Report], None],
        now_ns: int,
        ticking: bool,
    ) -> None:
        self.recording_id = recording_id
        self.paused = False
        self._feed, self._tracks, self._legs, self._tables, self._report = writer, tracks, legs, tables, report
        self._track = np.full(legs.capacity, NO_TRACK, np.int64)
        """Index of each leg's track, by row."""
        self._was_audible = legs.audible.copy()
        self._gains = unity(1)
        self._rooms: dict[int, NDArray[np.float32]] = {}
        self._voices: dict[int, NDArray[np.float32]] = {}
        """Memory of plans, by the table's number."""
        self._plans: list[_Plan] = []
        self._stale = True
        self._full = False
        writer.reopen()
        if writer.began_ns:
            before = writer.ticks
            self.pass_time(now_ns)
            writer.lose(writer.ticks - before)
        elif not ticking:
            writer.began_ns = now_ns
        for call_id, row in legs.row_of.items():
            self.joined(row, call_id)

    # ---- what happens between ticks

    def joined(self, row: int, call_id: str) -> None:
        """A leg has a row. Its track is the one its call had before, if it had one."""
        capacity = self._legs.capacity
        if capacity > len(self._track):
            self._track, self._was_audible = grown(self._track, capacity), grown(self._was_audible, capacity)
        self._track[row] = self._feed.tracks.get(call_id, NO_TRACK)
        self._was_audible[row] = self._legs.audible[row]
        self._stale = True
        self.mark({"joined": call_id})
        if self._legs.whispers[row]:
            self.mark({"coaching": call_id})

    def left(self, call_id: str) -> None:
        """A leg is gone."""
        self._stale = True
        self.mark({"left": call_id})

    def updated(self, row: int, whispered: bool) -> None:
        """Who hears a leg has changed. `whispered`: before that, some only heard it."""
        self._stale = True
        whispers = bool(self._legs.whispers[row])
        if whispers != whispered:
            self.mark({"coaching" if whispers else "uncoached": self._legs.call_ids[row]})

    def pause(self, behavior: Literal["silence", "skip"]) -> None:
        """Record nothing from the next tick on."""
        self.paused = True
        self.mark({"pause": behavior})

    def resume(self) -> None:
        """Record again from the next tick on."""
        self.paused = False
        self._was_audible[:] = self._legs.audible[: len(self._was_audible)]
        self._stale = True
        self.mark({"resume": True})

    def stop(self) -> None:
        """End it with the last tick that was. Nothing else is to be called after."""
        self.mark({"stop": True})
        self._feed.close()

    def skip(self, ticks: int) -> None:
        """The mixer leaves out ticks that it cannot make up for."""
        if self._feed.began_ns:
            self._feed.ticks += ticks
            if not self.paused:
                self._feed.lose(ticks)

    def pass_time(self, now_ns: int) -> None:
        """Time went on, and the mixer has nobody to tick for."""
        feed = self._feed
        if feed.began_ns:
            feed.ticks = max(feed.ticks, (now_ns - feed.began_ns + TICK_NS // 2) // TICK_NS)

    def mark(self, what: dict[str, Any]) -> None:
        """Tell the recorder what happened before the next tick."""
        self._feed.mark(self._feed.ticks, what)

    # ---- the tick

    def tick(self, mix: RateMix, now_ns: int) -> None:
        """Write this tick. Call it once totals hold all that the room hears; frames are those of the tick."""
        feed = self._feed
        number = feed.ticks
        if not number and not feed.began_ns:
            feed.began_ns = now_ns
        if not self.paused:
            rate = max(mix.totals)
            voices = self._take_voices(number) if self._tracks else []
            feed.frame(number, rate, self._room(mix.totals[rate], rate), voices)
        feed.ticks = number + 1

    def _room(self, total: NDArray[np.float32], rate: int) -> NDArray[np.float32] | None:
        """The total limited and rounded, (samples,); None if there is nothing to hear."""
        gains = self._gains
        if gains[0, NOW] == 1 and not total.any():
            return None
        room = self._rooms.get(rate)
        if room is None:
            room = self._rooms[rate] = np.zeros(len(total), np.float32)
        np.copyto(room, total)
        limit(room[np.newaxis], gains, rate)
        np.rint(room, out=room)
        return room

    def _take_voices(self, number: int) -> list[Voices]:
        """Whose frames are tracks' in this tick: of those who are heard by anybody, who says something."""
        if self._stale:
            self._plan()
        voices = []
        for plan in self._plans:
            table, count = plan.table, len(plan.wanted)
            # Told by level, as `contributes` is by now only true of who is in the mix.
            says = table.speech.level_dbov[:count] > SILENCE_DBOV
            says &= plan.wanted
            sounding = int(np.count_nonzero(says))
            if sounding:
                rows = plan.rows if sounding == count else np.flatnonzero(says)
                group = self._group(plan, rows, number)
                if group is not None:
                    voices.append(group)
        return voices

    def _plan(self) -> None:
        """Somebody came, went, was muted or unmuted: find out anew whose frames are wanted.

        Who is muted or unmuted fades over one frame, as the room hears it; what is found then is for one tick only.
        """
        legs = self._legs
        n = legs.n
        audible, was = legs.audible[:n], self._was_audible[:n]
        fading = audible != was
        wanted = audible | was
        self._plans = []
        for key, table in self._tables.items():
            of_legs = table.leg_rows[: table.n]
            mine, fades = wanted[of_legs] & table.live[: table.n], fading[of_legs]
            if not mine.any():
                continue
            room = self._voices.get(key)
            if room is None or len(room) < table.n:
                room = self._voices[key] = np.zeros((table.capacity, table.samples), np.float32)
            self._plans.append(
                _Plan(table, np.arange(table.n), mine, self._track[of_legs], fades if fades.any() else None, room)
            )
        self._voices = {key: room for key, room in self._voices.items() if key in self._tables}
        self._stale = bool(fading.any())
        was[:] = audible

    def _group(self, plan: "_Plan", rows: Rows, number: int) -> Voices | None:
        """The frames of these rows of a table, rounded."""
        everyone = rows is plan.rows
        tracks = plan.tracks if everyone else plan.tracks[rows]
        if tracks.min() == NO_TRACK:
            rows, tracks, everyone = *self._give_tracks(plan, rows, number), False
            if not len(rows):
                return None
        frames = plan.room[: len(rows)]
        if everyone and plan.fades is None:
            np.rint(plan.table.frames[: len(rows)], out=frames)
        else:
            np.take(plan.table.frames, rows, axis=0, out=frames, mode="clip")
            if plan.fades is not None:
                self._fade(frames, plan.table.leg_rows[rows], plan.fades[rows])
            np.rint(frames, out=frames)
        return Voices(plan.table.sample_rate, tracks, frames)

    def _fade(self, frames: NDArray[np.float32], legs: Rows, fades: NDArray[np.bool_]) -> None:
        rise = np.linspace(0, 1, frames.shape[1], dtype=np.float32)
        for at in np.flatnonzero(fades).tolist():
            frames[at] *= rise if self._legs.audible[legs[at]] else rise[::-1]

    def _give_tracks(self, plan: "_Plan", rows: Rows, number: int) -> tuple[Rows, Rows]:
        """Let those of these rows that have no track have one; returns those who then have, and their tracks."""
        for row in rows[plan.tracks[rows] == NO_TRACK].tolist():
            leg = int(plan.table.leg_rows[row])
            plan.tracks[row] = self._track[leg] = self._feed.track(self._legs.call_ids[leg], number)
        tracks = plan.tracks[rows]
        have = tracks != NO_TRACK
        if not have.all() and not self._full:
            self._full = True
            self._report(LogLine("warning", "too many tracks in a recording", {"recording_id": self.recording_id}))
        return rows[have], tracks[have]


@dataclass(slots=True)
class _Plan:
    """Whose frames of one table are recorded, until somebody comes, goes, is muted or unmuted. Columns by row."""

    table: FormatTable
    rows: Rows
    wanted: NDArray[np.bool_]
    tracks: Rows
    fades: NDArray[np.bool_] | None
    room: NDArray[np.float32]
    """(capacity, samples): for what is written."""
