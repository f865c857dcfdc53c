"""The recorder process: empties a feed into a `Recorder`, and ends in its publishing, whoever else is dead by then.

Decides when a recording is over: when the mixer has closed the feed or the server asks, and both have had a moment to
say so. Without a server it goes on until the feed is closed or stands still. What becomes of sound is the recorder's.
"""

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from recording import clock
from recording.catalog import (
    Failed,
    FailureReason,
    Finish,
    Finished,
    MalformedError,
    Note,
    Progress,
    RecorderConfig,
    RecorderReport,
    Started,
    dump,
    folder_name,
    load_command,
    load_config,
)
from recording.catalog.manifest import FILE_NAME as MANIFEST
from recording.feed import TICKS_PER_SECOND, FeedError, FeedReader, Frame, Mark
from recording.publish import SERVER_LOST
from recording.recorder import FLUSH_TICKS, Recorder

NICENESS: Final = 5
WAIT_MS: Final = 50
RECORDS: Final = FLUSH_TICKS
"""Taken at a time, so that a backlog is written as it is taken: what is taken and not written dies with us."""
COMMANDS: Final = 64
PROGRESS_S: Final = 1.0
PATIENCE_S: Final = 1.0
"""How long the server's word may come after the feed's end, and the feed's end after the server's word."""
STILL_S: Final = 3.0
"""A feed that stands still for so long, when the server is gone too, has lost its mixer."""
AHEAD_TICKS: Final = 60 * TICKS_PER_SECOND
"""No honest tick is further ahead of time than this; one that is would make files of any size."""
_EXIT_NO_RECORDING: Final = 65  # sysexits.h: EX_DATAERR
_MOST_MESSAGE_BYTES: Final = 1 << 20
LAST_WORD_S: Final = 5.0
"""How long a server that does not read may keep us from ending."""


def run(control: socket.socket, feed_fd: int, config: dict[str, Any]) -> int:
    """Record until it is over; returns the exit code. Owns both descriptors. `config`: see `dump_config`."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with control:
        try:
            told = load_config(config)
            reader = FeedReader(feed_fd)
        except (MalformedError, FeedError) as error:
            os.write(2, f"recorder: {error}\n".encode())
            return _EXIT_NO_RECORDING
        finally:
            os.close(feed_fd)
        recorder = Recorder(Path(told.directory), told, clock.unix_now)
        process = Process(control, reader, recorder, told, clock.monotonic)
        signal.signal(signal.SIGTERM, lambda *_: process.end("shutdown"))
        try:
            process.run()
        finally:
            reader.close()
    return 0


class Process:
    """One recording, from the first sound to the last word. `now` gives CLOCK_MONOTONIC in seconds."""

    def __init__(
        self,
        control: socket.socket,
        reader: FeedReader,
        recorder: Recorder,
        config: RecorderConfig,
        now: Callable[[], float],
        wait_ms: int = WAIT_MS,
    ) -> None:
        control.setblocking(False)
        self._control, self._reader, self._recorder, self._config, self._now = control, reader, recorder, config, now
        self._wait_ms = wait_ms
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._server_gone = False
        self._reason: str | None = None
        """Why it ends, once somebody said so."""
        self._over_since: float | None = None
        """When the feed's end was seen or the server's word came."""
        self._next = recorder.last_tick + 1
        """The tick that comes next if none is missing."""
        self._dropped = self._lost = 0
        self._continues = recorder.last_tick >= 0
        """The recorder goes on where a dead one stopped, and tells itself what is missing between them."""
        self._began = self._moved = self._told = now()
        self._ticks_at_first = self._ticks = reader.ticks

    def run(self) -> None:
        """Record, then publish. A recorder that fails ends it too: a feed that nobody reads costs a mixer nothing."""
        if self._recorder.failed is None:
            self._send(Started(self._config.recording_id, os.getpid()))
        backlog, over = False, False
        while not over:
            backlog, over = self._once(backlog)
        self._publish()

    def _once(self, backlog: bool) -> tuple[bool, bool]:
        """Wait unless there is a backlog, take what is there, write; returns whether more is there, and whether it
        is over."""
        if self._poll.poll(0 if backlog else self._wait_ms):
            self._take_commands()
        closed = self._reader.closed  # looked at first: what was written before the end is read after it
        backlog = self._drain()
        now = self._now()
        self._recorder.sync(now)
        self._tell_progress(now)
        return backlog, self._recorder.failed is not None or (not backlog and self._is_over(closed, now))

    def end(self, reason: str) -> None:
        """Let it be over soon."""
        self._reason = self._reason or reason

    def _is_over(self, closed: bool, now: float) -> bool:
        ended = closed or self._recorder.stopped
        if self._reader.ticks != self._ticks:
            self._ticks, self._moved = self._reader.ticks, now
        if self._server_gone:
            return ended or now - self._moved >= STILL_S
        if not ended and self._reason is None:
            return False
        if self._over_since is None:
            self._over_since = now
        return (ended and self._reason is not None) or now - self._over_since >= PATIENCE_S

    def _take_commands(self) -> None:
        for _ in range(COMMANDS):
            try:
                packet = self._control.recv(_MOST_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._server_gone = True
                self._poll.unregister(self._control)
                return
            try:
                command = load_command(packet)
            except (MalformedError, RecursionError) as error:
                os.write(2, f"recorder: wrong command: {error}\n".encode())
                continue
            match command:
                case Note():
                    self._recorder.note(command.unix_s, _fields(command))
                case Finish():
                    self.end(command.reason)

    def _drain(self) -> bool:
        """Take some records; returns whether there may be more."""
        records = self._reader.read(RECORDS)
        latest = self._latest()
        for record in records:
            if record.tick > latest:
                continue
            if isinstance(record, Mark):
                self._recorder.mark(record.tick, record.what)
            else:
                self._frame(record)
        return len(records) == RECORDS

    def _latest(self) -> int:
        """The highest tick that is believed."""
        return self._ticks_at_first + int((self._now() - self._began) * TICKS_PER_SECOND) + AHEAD_TICKS

    def _frame(self, frame: Frame) -> None:
        if self._continues:
            self._continues, self._dropped, self._lost = False, frame.dropped, frame.lost
        self._tell_gaps(frame.tick, frame.dropped, frame.lost)
        self._next = max(self._next, frame.tick + 1)
        self._recorder.frame(frame.tick, frame.mix, frame.tracks)

    def _tell_gaps(self, until: int, dropped: int, lost: int) -> None:
        """Of the ticks missing before `until`, tell which were lost: a paused or empty conference has none."""
        for count, reason in ((dropped - self._dropped, "overrun"), (lost - self._lost, "mixer")):
            ticks = min(until - self._next, count)
            if ticks > 0:
                self._recorder.gap(self._next, ticks, reason)
                self._next += ticks
        self._dropped, self._lost = dropped, lost

    def _tell_progress(self, now: float) -> None:
        if now - self._told < PROGRESS_S:
            return
        self._told = now
        recorder = self._recorder
        self._send(
            Progress(self._config.recording_id, recorder.last_tick, recorder.bytes_written, self._reader.dropped)
        )

    def _publish(self) -> None:
        recorder, recording_id = self._recorder, self._config.recording_id
        told = recorder.failed is not None
        if told:
            self._tell_failure()
        ticks = min(self._reader.ticks, self._latest())
        self._tell_gaps(ticks, self._reader.dropped, self._reader.lost)
        reason = self._reason or (SERVER_LOST if self._server_gone else "stopped")
        manifest = recorder.finish(reason, ticks - 1)
        if recorder.failed is not None and not told:
            self._tell_failure()
        saved = (Path(self._config.directory) / folder_name(recording_id) / MANIFEST).is_file()
        size = manifest.files.audio.byte_size if manifest.files.audio is not None else 0
        self._send(
            Finished(recording_id, manifest.status, manifest.reason, manifest.duration_s, size, saved), surely=True
        )

    def _tell_failure(self) -> None:
        recorder = self._recorder
        reason = cast(FailureReason, recorder.failed)
        self._send(Failed(self._config.recording_id, reason, recorder.kept_ms(), recorder.detail), surely=True)

    def _send(self, report: RecorderReport, surely: bool = False) -> None:
        """Say something, dropped if the server does not read; `surely` waits a little for that."""
        self._control.settimeout(LAST_WORD_S if surely else 0)
        with contextlib.suppress(OSError):
            self._control.send(dump(report))
        self._control.settimeout(0)


def _fields(note: Note) -> dict[str, Any]:
    """What a recorder is told of a note, beside its time."""
    return {"kind": note.kind, "call_id": note.call_id, "label": note.label}
