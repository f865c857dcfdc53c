"""What is heard beside the plain mix: beeps and announcements over it, and what a coach whispers to one leg.

All of it is put in once the mix is made, so it costs nothing where nobody uses it: clips are added to the totals at
each rate as they are lent, whispers and exceptions go to single legs (`mixer.formats.asides`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.clips import NOTHING, Clips
from mixer.dsp.mix import RateMix
from mixer.dsp.resample import Resampler
from mixer.formats.asides import DUCKED
from mixer.formats.base import FormatTable
from mixer.legs import Legs
from mixer.protocol import ClipEnded, PlayClip, Report

FULL: Final = 1.0


@dataclass(slots=True)
class _Play:
    command: PlayClip
    number: int
    ticks: int
    tick: int = 0


@dataclass(slots=True)
class _Whisper:
    """What one leg says to a few others only."""

    heard_by: list[str]
    gain_before: float = 0.0
    resamplers: dict[int, Resampler] = field(default_factory=dict)
    """By the rate of who hears it."""


class Sounds:
    """The exceptions of a mixer's mix."""

    def __init__(
        self, legs: Legs, tables: dict[int, FormatTable], clips: Clips, report: Callable[[Report], None]
    ) -> None:
        self._legs, self._tables, self._clips, self._report = legs, tables, clips, report
        self._plays: dict[str, _Play] = {}
        self._whispers: dict[str, _Whisper] = {}
        self._duck = FULL

    @property
    def active(self) -> bool:
        """Something besides the legs' own speech is heard in this tick."""
        return bool(self._plays or self._whispers) or self._duck != FULL

    def play(self, command: PlayClip) -> str:
        """Begin a clip; returns why not, or an empty string."""
        number = self._clips.number(command.clip_id)
        if number == NOTHING:
            return "no such clip"
        if command.play_id in self._plays:
            return "this is playing already"
        if command.to == "call" and command.call_id not in self._legs.row_of:
            return "no such leg"
        self._plays[command.play_id] = _Play(command, number, self._clips.ticks(number))
        return ""

    def stop(self, play_id: str) -> None:
        """End a clip."""
        if self._plays.pop(play_id, None) is not None:
            self._report(ClipEnded(play_id))

    def forget_clip(self, number: int) -> None:
        """A clip is returned: end it wherever it plays."""
        for play_id in [play_id for play_id, play in self._plays.items() if play.number == number]:
            self.stop(play_id)

    def whisper(self, call_id: str, heard_by: list[str] | None) -> None:
        """Let a leg be heard by these calls beside the mix; None: it is in the mix."""
        if heard_by is None:
            self._whispers.pop(call_id, None)
        elif call_id in self._whispers:
            self._whispers[call_id].heard_by = heard_by
        else:
            self._whispers[call_id] = _Whisper(heard_by)

    def forget_leg(self, call_id: str) -> None:
        """A leg is gone, and with it what it whispered and what only it heard."""
        self._whispers.pop(call_id, None)
        only = [(play_id, play.command) for play_id, play in self._plays.items() if play.command.to == "call"]
        for play_id in [play_id for play_id, command in only if command.call_id == call_id]:
            self.stop(play_id)

    def apply(self, mix: RateMix) -> None:
        """Put this tick's sounds over the totals of `mix` and beside them. Call it once the totals are made."""
        for table in self._tables.values():
            table.asides.clear()
        self._duck_speech(mix)
        for call_id, whisper in self._whispers.items():
            self._whisper(call_id, whisper)
        for play in list(self._plays.values()):
            self._play(play, mix)

    def _duck_speech(self, mix: RateMix) -> None:
        """Turn speech down under announcements to all, over one tick."""
        over_all = (play.command for play in self._plays.values() if play.command.to != "call")
        aim = float(DUCKED) if any(command.duck for command in over_all) else FULL
        if self._duck == aim == FULL:
            return
        for rate, total in mix.totals.items():
            ramp = np.linspace(self._duck, aim, len(total), dtype=np.float32)
            total *= ramp
            for table in self._at(rate):
                table.asides.duck = ramp
        self._duck = aim

    def _at(self, rate: int) -> Iterable[FormatTable]:
        return (table for table in self._tables.values() if table.sample_rate == rate)

    def _place(self, call_id: str | None) -> tuple[FormatTable, int] | None:
        row = self._legs.row_of.get(call_id) if call_id is not None else None
        if row is None:
            return None
        return self._tables[int(self._legs.table[row])], int(self._legs.local[row])

    def _whisper(self, call_id: str, whisper: _Whisper) -> None:
        place = self._place(call_id)
        if place is None:
            return
        table, local = place
        row = self._legs.row_of[call_id]
        gain = float(self._legs.gain[row]) if self._legs.heard[row] else 0.0
        said = table.frames[local] * np.linspace(whisper.gain_before, gain, table.samples, dtype=np.float32)
        whisper.gain_before = gain
        converted: dict[int, NDArray[np.float32]] = {table.sample_rate: said}
        for listener in whisper.heard_by:
            heard_at = self._place(listener)
            if heard_at is None or not heard_at[0].hears[heard_at[1]]:
                continue
            rate = heard_at[0].sample_rate
            if rate not in converted:
                converted[rate] = self._convert(whisper, said, table.sample_rate, rate)
            heard_at[0].asides.add(heard_at[1], converted[rate])

    def _convert(self, whisper: _Whisper, said: NDArray[np.float32], source: int, rate: int) -> NDArray[np.float32]:
        resampler = whisper.resamplers.get(rate)
        if resampler is None:
            resampler = whisper.resamplers[rate] = Resampler(source, rate)
        out = np.zeros(rate // 50, np.float32)
        resampler.process(said, out)
        return out

    def _play(self, play: _Play, mix: RateMix) -> None:
        command = play.command
        if command.to == "call":
            self._play_to_one(play)
        else:
            for rate, total in mix.totals.items():
                if self._clips.has(play.number, rate):
                    total += self._frame(play, rate)
            self._spare(play)
            if command.to == "everyone":
                for table in self._tables.values():
                    table.asides.instead = (play.number, play.tick)
        play.tick += 1
        if play.tick >= play.ticks:
            self.stop(command.play_id)

    def _frame(self, play: _Play, rate: int) -> NDArray[np.float32]:
        frame: NDArray[np.float32] = self._clips.frames(play.number, np.array([play.tick]), rate)[0].astype(np.float32)
        return frame

    def _spare(self, play: _Play) -> None:
        """The one who is not to hear it has it taken out of his mix again, exactly."""
        place = self._place(play.command.except_call_id)
        if place is not None and self._clips.has(play.number, place[0].sample_rate):
            place[0].asides.add(place[1], -self._frame(play, place[0].sample_rate))

    def _play_to_one(self, play: _Play) -> None:
        place = self._place(play.command.call_id)
        if place is None or not self._clips.has(play.number, place[0].sample_rate):
            return
        table, local = place
        if table.hears[local]:
            table.asides.add(local, self._frame(play, table.sample_rate))
            if play.command.duck:
                table.asides.ducked.add(local)
        else:
            table.asides.private[local] = (play.number, play.tick)
