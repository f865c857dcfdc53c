"""One recording while it runs: puts each tick's sound where it belongs in capture files, and ends in publishing.

Decides where a tick's sound goes, when it is written, and that nothing the disk does ever comes back as an
exception: a recorder that can't write says so in `failed` and takes everything else with open arms. How files
look is in `capture`, what the journal's lines mean in `story`, what becomes of both in `publish`.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recording.capture import RATES_HZ, CaptureName, CaptureWriter, ticks_in
from recording.catalog.manifest import Manifest
from recording.catalog.messages import RecorderConfig, dump_config
from recording.catalog.names import folder_name
from recording.disk import allow_many_files, open_folder, reason_of
from recording.feed import LATE_SAMPLES
from recording.journal import Journal, Line
from recording.part import PartFolder
from recording.publish import SERVER_LOST, Ending, manifest_without_files, publish
from recording.story import MOST_TICKS, Story
from recording.timeline import TICK_MS, TICKS_PER_S

Sound = npt.NDArray[np.int16]

FLUSH_S: Final = 0.2
"""How long sound waits to be written: what a killed recorder loses."""
FLUSH_TICKS: Final = 10
"""As much sound does not wait longer: after a stall, a moment brings seconds of it."""
SYNC_S: Final = 1.0
"""How often all of it is made durable: what a machine without power loses."""


class Recorder:
    """Makes the capture folder in `folder` at once; never raises for what the disk does.

    If a recorder that died left that folder, goes on with it: what was lost between them is a gap.
    `failed`: why nothing more is written, a `FailureReason`, or None; `detail` says it in words.
    `bytes_written`: into capture files. `last_tick`: the highest seen in any way, -1 at first.
    `stopped`: a mark ended the recording; `finish` is what is left to do.
    """

    def __init__(self, folder: Path, config: RecorderConfig, unix_now: Callable[[], float]) -> None:
        self.failed: str | None = None
        self.detail = ""
        self.bytes_written = 0
        self.last_tick = -1
        self._framed_tick = -1
        """The last whose sound came."""
        self._config, self._unix_now = config, unix_now
        self._story = Story()
        self._skipped_ticks = 0
        """Cut out by pauses so far."""
        self._kept_places = 0
        """Ticks of the recording that are in files."""
        self._resumes = False
        self._writers: dict[CaptureName, CaptureWriter] = {}
        self._mix: CaptureWriter | None = None
        self._by_index: dict[tuple[int, int], CaptureWriter] = {}
        """Of tracks, by the mixer's index and the rate."""
        self._flushed_s = self._synced_s = float("-inf")
        self._flushed_tick = -1
        self._folder_changed = False
        self._part: PartFolder | None = None
        self._journal: Journal | None = None
        self._parent_fd = -1
        try:
            self._open(folder)
        except OSError as error:
            self._fail(error)

    @property
    def stopped(self) -> bool:
        """Whether a mark ended the recording."""
        return self._story.stopped

    def frame(self, tick: int, mix: tuple[int, Sound] | None, tracks: Sequence[tuple[int, int, Sound]]) -> None:
        """The sound of one tick: of the room (rate in Hz, 20 ms of samples; None: silence), and of each track
        that is not silent (its index, rate, samples). The arrays are copied. Ticks must rise: one that comes
        again is ignored.
        """
        if not self._framed_tick < tick < MOST_TICKS or self.stopped:
            return
        if self._resumes:
            self._tell_resumed(tick)
        self._framed_tick = tick
        self.last_tick = max(self.last_tick, tick)
        if self.failed is not None or self._story.timeline.paused:
            return
        place = tick - self._skipped_ticks
        try:
            if mix is not None:
                self._add_mix(place, *mix)
            if self._config.tracks:
                for index, rate, sound in tracks:
                    self._add_track(tick, place, index, rate, sound)
        except OSError as error:
            self._fail(error)

    def mark(self, tick: int, mark: Mapping[str, Any]) -> None:
        """Something that happened just before `tick`, as the mixer tells it:
        {"track": index, "call_id"}, {"joined": call_id}, {"left": call_id}, {"coaching": call_id},
        {"uncoached": call_id} (and the other kinds of notes alike), {"pause": "silence"|"skip"},
        {"resume": true}, {"stop": true}. Anything else is ignored.
        """
        if not 0 <= tick < MOST_TICKS or self.stopped:
            return
        self.last_tick = max(self.last_tick, tick - 1)
        self._tell({"tick": tick, "mark": dict(mark)})
        self._by_index.clear()
        self._skipped_ticks = tick - self._story.timeline.place(tick)

    def note(self, unix_s: float, note: Mapping[str, Any]) -> None:
        """Something the server tells of a call: {"kind": NoteKind, "call_id", "label"}, the fields of `Note`.
        Where the mixer marked the same kind for the same call at about that time, its ticks count.
        """
        self._tell({"unix": unix_s, "note": dict(note)})

    def gap(self, tick: int, ticks: int, reason: str) -> None:
        """Sound of `ticks` ticks from `tick` on did not get here; it is silence in the recording."""
        if tick >= 0 and 0 < ticks < MOST_TICKS - tick and not self.stopped:
            self.last_tick = max(self.last_tick, tick + ticks - 1)
            self._tell({"tick": tick, "gap": ticks, "reason": reason})

    def sync(self, now: float) -> None:
        """Call about every 50 ms, and after every `FLUSH_TICKS` frames; `now`: monotonic seconds. Writes what waits
        for 200 ms, or is so much, and makes it all durable every second.
        """
        if self.failed is not None or self._part is None or self._journal is None:
            return
        if now - self._flushed_s < FLUSH_S and self.last_tick - self._flushed_tick < FLUSH_TICKS:
            return
        self._flushed_s, self._flushed_tick = now, self.last_tick
        try:
            self._flush()
            if now - self._synced_s < SYNC_S:
                return
            self._synced_s = now
            if self._part.gone:
                raise FileNotFoundError(errno.ENOENT, "somebody removed the recording's folder", self._part.name)
            self._tell({"seen": self.last_tick, "unix": self._unix_now()})
            self._sync()
        except OSError as error:
            self._fail(error)

    def kept_ms(self) -> int:
        """How much of the room is in files."""
        return self._kept_places * TICK_MS

    def finish(self, reason: str, last_tick: int) -> Manifest:
        """Write what waits, publish, and say what was published. `last_tick`: the number of the last tick that
        passed, -1 if none did. Takes as long as encoding takes; nothing can be done with the recorder afterwards.
        """
        if self.failed is None and not self.stopped:
            self.last_tick = max(self.last_tick, min(last_tick, MOST_TICKS - 1))
        if self._resumes and self.failed is None:
            self._tell_resumed(self.last_tick + 1)
        try:
            if self.failed is None:
                self._flush()
                self._tell({"finish": reason, "last_tick": self.last_tick})
                self._sync()
        except OSError as error:
            self._fail(error)
        try:
            # Without the journal, the folder is another recorder's.
            if self._part is not None and self._journal is not None and not self._part.gone:
                manifest = publish(self._part, self._config, self._story, self._ending(reason))
                if manifest.status == "failed" and self.failed is None:
                    self.failed, self.detail = manifest.reason, "not everything could be published"
                return manifest
        except OSError as error:
            self._fail(error)
        finally:
            self._close()
        self.failed = self.failed or "folder_gone"
        return manifest_without_files(self._config, self._story, self._ending(reason), "failed")

    def _open(self, folder: Path) -> None:
        allow_many_files()
        self._parent_fd = open_folder(folder)
        self._part = PartFolder.make(self._parent_fd, folder_name(self._config.recording_id))
        self._journal = Journal(self._part.fd, create=True)
        lines = self._journal.lines()
        self._story.fold(lines)
        if self._story.config is None:
            self._tell({"config": dump_config(self._config)})
        self._part.reserve()
        if lines:
            self._resume(self._part)
        self._journal.sync()
        self._part.sync()
        os.fsync(self._parent_fd)

    def _resume(self, part: PartFolder) -> None:
        """Take up where a recorder that died left off."""
        for name in part.capture_names():
            writer = self._writers[name] = CaptureWriter(name, part.fd)
            self._kept_places = max(self._kept_places, ticks_in(writer.length_samples, name.sample_rate))
        self._mix = max(
            (writer for name, writer in self._writers.items() if name.track is None),
            key=lambda writer: writer.length_samples / writer.name.sample_rate,
            default=None,
        )
        self.last_tick = self._framed_tick = self._story.timeline.tick_at(self._kept_places) - 1
        self._skipped_ticks = self.last_tick + 1 - self._kept_places
        self._resumes = True

    def _tell_resumed(self, tick: int) -> None:
        """The first tick since, or the end if none came: all between is lost that was not in a pause."""
        self._resumes = False
        timeline, first = self._story.timeline, self._framed_tick + 1
        lost = max(0, timeline.place(tick) - self._kept_places - timeline.silent_ticks(first, tick))
        self._tell({"resumed": lost, "unix": self._unix_now()})
        if lost:
            self._tell({"tick": first, "gap": tick - first, "reason": "recorder"})

    def _add_mix(self, place: int, rate: int, sound: Sound) -> None:
        if rate not in RATES_HZ or sound.size != rate // TICKS_PER_S:
            return
        if self._mix is None or self._mix.name.sample_rate != rate:
            self._mix = self._writer(CaptureName(None, rate))
        self.bytes_written += self._mix.add(place * sound.size, sound)

    def _add_track(self, tick: int, place: int, index: int, rate: int, sound: Sound) -> None:
        if rate not in RATES_HZ or sound.size != rate // TICKS_PER_S:
            return
        writer = self._by_index.get((index, rate))
        if writer is None:
            if self._story.track_number(index) is None:
                self._tell({"tick": tick, "mark": {"track": index}})
            writer = self._writer(CaptureName(self._story.track_number(index), rate))
            self._by_index[index, rate] = writer
        self.bytes_written += writer.add(place * sound.size + self._late_samples(rate), sound)

    def _late_samples(self, rate: int) -> int:
        """By how much the room has a voice later than it came."""
        return LATE_SAMPLES if self._mix is not None and rate < self._mix.name.sample_rate else 0

    def _writer(self, name: CaptureName) -> CaptureWriter:
        if name not in self._writers:
            assert self._part is not None, "a recorder without a folder has failed"
            self._writers[name] = CaptureWriter(name, self._part.fd)
            self._folder_changed = True
        return self._writers[name]

    def _flush(self) -> None:
        """The mix first: if the disk fills up, tracks are the lesser loss."""
        length = self._story.timeline.place(self.last_tick + 1)
        if self._mix is not None:
            self.bytes_written += self._mix.flush()
            self._mix.extend(length * self._mix.name.sample_rate // TICKS_PER_S)
        for writer in self._writers.values():
            self.bytes_written += writer.flush()
        self._kept_places = max(self._kept_places, length)

    def _sync(self) -> None:
        """The journal first: sound without it is worth more than it without sound, but both belong together."""
        if self._journal is not None:
            self._journal.sync()
        if self._folder_changed and self._part is not None:
            self._part.sync()
            self._folder_changed = False
        for writer in self._writers.values():
            writer.sync()

    def _tell(self, line: Line) -> None:
        """Into the journal; what it can't take is known to this recorder all the same."""
        self._story.take(line)
        if self.failed is None and self._journal is not None:
            try:
                self._journal.append(line)
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self.failed is not None:
            return
        self.failed, self.detail = reason_of(error), str(error)
        if self._journal is not None:
            with suppress(OSError):
                self._journal.append({"failed": self.failed, "detail": self.detail})

    def _ending(self, reason: str) -> Ending:
        places = self._kept_places if self.failed is not None else self._story.timeline.place(self.last_tick + 1)
        lost = self._story.resumed_lost_ticks
        return Ending(
            reason=reason,
            length_ms=places * TICK_MS,
            end_tick=self.last_tick + 1,
            failure=self.failed,
            recovered=lost is not None or reason == SERVER_LOST,
            lost_ms=(lost or 0) * TICK_MS,
        )

    def _close(self) -> None:
        for closable in (*self._writers.values(), self._journal, self._part):
            if closable is not None:
                closable.close()
        if self._parent_fd >= 0:
            os.close(self._parent_fd)
