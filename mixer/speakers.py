"""Who speaks, told to the server: each change at once, and levels five times a second while anybody does."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.dsp.speech import ActiveSpeaker
from mixer.formats.base import FormatTable
from mixer.legs import Legs
from mixer.protocol import Levels, Report, SpeechChanged

LEVEL_TICKS: Final = 10
MOST: Final = 16


class Speakers:
    """Reports speech of a mixer's legs."""

    def __init__(self, legs: Legs, tables: dict[int, FormatTable], report: Callable[[Report], None]) -> None:
        self._legs, self._tables, self._report = legs, tables, report
        self._speaking: set[str] = set()
        self._active = ActiveSpeaker()

    def update(self, tick: int) -> None:
        """Judge this tick's frames, before gains are applied."""
        for table in self._tables.values():
            self._tell_changed(table, table.measure())
        self._tell_levels_at_times(tick)

    def tell(self, tick: int, table: FormatTable, changed: NDArray[np.int64]) -> None:
        """The same where there is only this table, judged already: `changed` rows began or ceased to speak."""
        self._tell_changed(table, changed)
        self._tell_levels_at_times(tick)

    def _tell_changed(self, table: FormatTable, changed: NDArray[np.int64]) -> None:
        for local in changed.tolist():
            call_id = self._legs.call_ids[int(table.leg_rows[local])]
            speaks = bool(table.speech.speaking[local])
            (self._speaking.add if speaks else self._speaking.discard)(call_id)
            self._report(SpeechChanged(call_id, speaks))

    def _tell_levels_at_times(self, tick: int) -> None:
        if tick % LEVEL_TICKS == 0 and self._speaking:
            self._tell_levels(tick)

    def _tell_levels(self, tick: int) -> None:
        levels: dict[str, float] = {}
        for table in self._tables.values():
            rows = np.flatnonzero(table.speech.speaking[: table.n])
            level = table.speech.level_dbov[rows]
            for at in np.argsort(level)[-MOST:].tolist():
                levels[self._legs.call_ids[int(table.leg_rows[rows[at]])]] = round(float(level[at]), 1)
        loudest = sorted(levels, key=lambda call_id: -levels[call_id])[:MOST]
        active = self._active.update(tick, levels)
        self._report(Levels(active, {call_id: levels[call_id] for call_id in loudest}))

    def forget(self, call_id: str) -> None:
        """A leg is gone; the server knows by other means."""
        self._speaking.discard(call_id)
        self._active.forget(call_id)
