"""Recorders without processes: what they leave on disk is real, made at once when they are told to finish."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np

from recording.catalog import Failed, Finished, Note, RecorderConfig
from recording.recorder import Recorder
from server.mixers.recorder import RecorderHandle, RecorderNews

RATE = 8000
TICK_SAMPLES = RATE // 50


class FakeRecorder:
    """One recorder. `ticks` of a tone is what it will have recorded, of the room and of each of `voices`."""

    def __init__(
        self,
        config: RecorderConfig,
        on_report: Callable[[RecorderHandle, RecorderNews], None],
        on_exit: Callable[[RecorderHandle, int | None], None],
    ) -> None:
        self.config = config
        self.alive = True
        self.stopping = False
        self.notes: list[Note] = []
        self.reasons: list[str] = []
        """Why it was told to finish."""
        self.ticks = 100
        self.voices: list[str] = []
        self.holds_back = False
        """It takes its time to finish: the test lets it go on with `publish`."""
        self._on_report = on_report
        self._on_exit = on_exit

    def note(self, note: Note) -> None:
        assert self.alive
        self.notes.append(note)

    def finish(self, reason: str) -> None:
        self.reasons.append(reason)
        if not self.holds_back:
            self.publish()

    def publish(self) -> None:
        """Leave files as a recorder does, and say the last word."""
        recorder = Recorder(Path(self.config.directory), self.config, lambda: self.config.started_unix_s)
        for index, call_id in enumerate(self.voices):
            recorder.mark(0, {"track": index, "call_id": call_id})
        tone = (8000 * np.sin(np.arange(TICK_SAMPLES) * 2 * np.pi * 400 / RATE)).astype(np.int16)
        for tick in range(self.ticks):
            recorder.frame(tick, (RATE, tone), [(index, RATE, tone) for index in range(len(self.voices))])
        manifest = recorder.finish(self.reasons[0], self.ticks - 1)
        audio = manifest.files.audio
        finished = Finished(
            manifest.recording_id,
            manifest.status,
            manifest.reason,
            manifest.duration_s,
            0 if audio is None else audio.byte_size,
        )
        self.alive = False
        self.report(finished)
        self._on_exit(cast(RecorderHandle, self), 0)

    def fail(self) -> None:
        """Let the disk be full."""
        self.report(Failed(self.config.recording_id, "disk_full", 1000, "No space left on device"))

    def report(self, news: RecorderNews) -> None:
        self._on_report(cast(RecorderHandle, self), news)

    def die(self) -> None:
        """Let the process be killed."""
        self.alive = False
        self._on_exit(cast(RecorderHandle, self), -9)


def as_handle(recorder: Any) -> RecorderHandle:
    return cast(RecorderHandle, recorder)
