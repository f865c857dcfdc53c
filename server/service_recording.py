"""One recording while it is made: the mixer's tap, the feed between them, and the recorder process that writes.

The sound goes from the mixer into the feed, which is the server's and outlives both: a recorder that dies is replaced
by one that reads on where it was. What is recorded when is decided by `server.conference`, what becomes of the files by
`service_recordings`.
"""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

import structlog

from recording.catalog import Failed, Finished, Note, NoteKind, RecorderConfig
from recording.catalog.feeds import create_feed
from server.conference.events import (
    Event,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from server.conference.model import Conference, Participant
from server.conference.recordings import PauseBehavior, RecordingResult
from server.mixers.errors import LaunchFailed, MixerGone, MixerRefused
from server.mixers.handle import MixerHandle
from server.mixers.recorder import RecorderHandle, RecorderNews
from server.mixers.supervisor import Mixers
from server.tasks import Tasks

log = structlog.get_logger(__name__)

MOST_RECORDERS: Final = 3
"""Processes tried for one recording: where three die, the fourth would, too."""

MOST_UNTOLD: Final = 10_000

_NOTES: Final[dict[type[Event], NoteKind]] = {
    ParticipantLeft: "left",
    ParticipantMuted: "muted",
    ParticipantUnmuted: "unmuted",
    ParticipantHeld: "held",
    ParticipantUnheld: "unheld",
}


class Results(Protocol):
    """Takes over what recordings leave."""

    def finished(self, run: "RecordingRun", finished: Finished | None) -> None:
        """Take a recorder's last word; None: it died and left things as they were."""
        ...

    def never_began(self, conference: Conference, recording_id: str) -> None:
        """Take that a recording could not be begun."""
        ...


class RecordingRun:
    """A recording that goes on; `results` is told once when it is over."""

    def __init__(
        self,
        config: RecorderConfig,
        mixer: MixerHandle,
        mixers: Mixers,
        tasks: Tasks,
        results: Results,
    ) -> None:
        self.config: Final = config
        self._mixer = mixer
        self._mixers = mixers
        self._tasks = tasks
        self._results = results
        self._feed = create_feed()
        self._recorder: RecorderHandle | None = None
        self._untold: list[Note] = []
        """Notes for a recorder that is not there yet."""
        self._launched = 0
        self._reason: str | None = None
        """Why it is to end; None: it goes on."""
        self._over = False
        self.result: asyncio.Future[RecordingResult] = asyncio.get_running_loop().create_future()
        """What came of it, once its files are known to the journal."""
        self._log = log.bind(recording_id=config.recording_id, conference_id=config.conference_id)

    @property
    def recording_id(self) -> str:
        """The id of the recording."""
        return self.config.recording_id

    async def start(self) -> None:
        """Have the mixer fill the feed from its next tick on; the recorder comes when it is ready.

        Raises `MixerRefused` or `MixerGone`; then there is nothing to finish.
        """
        try:
            await self._mixer.start_recording(self.recording_id, self._feed, self.config.tracks)
        except (MixerRefused, MixerGone):
            self._close()
            raise
        self._tasks.spawn(self._launch(), "launch recorder")

    async def pause(self, behavior: PauseBehavior) -> None:
        """Record nothing from the next tick on."""
        await self._tell_mixer(self._mixer.pause_recording(self.recording_id, behavior.value))

    async def resume(self) -> None:
        """Record again."""
        await self._tell_mixer(self._mixer.resume_recording(self.recording_id))

    async def stop(self, reason: str) -> None:
        """End it with the last tick; what is in the feed is still written. Does nothing the second time."""
        if self._reason is not None:
            return
        self._reason = reason
        await self._tell_mixer(self._mixer.stop_recording(self.recording_id))
        if self._recorder is not None and self._recorder.alive:
            self._recorder.finish(reason)

    def note(self, conference: Conference, events: Sequence[Event]) -> None:
        """Tell the recorder who came, went, was muted, held or coaching."""
        for event in events:
            for note in _notes(conference, event):
                self._note(note)

    def note_those_present(self, conference: Conference, now: float) -> None:
        """Tell the recorder who is there when it begins."""
        for participant in conference.present:
            for kind in _standing(participant):
                self._note(Note(now, kind, participant.call_id, participant.label))

    async def _tell_mixer(self, request: Awaitable[None]) -> None:
        try:
            await request
        except MixerRefused as error:
            self._log.error("mixer_refused_recording", reason=error.reason)
        except MixerGone:
            return  # its end is reported, and ends the conference

    def _note(self, note: Note) -> None:
        if self._recorder is not None and self._recorder.alive:
            self._recorder.note(note)
        elif len(self._untold) < MOST_UNTOLD:
            self._untold.append(note)

    async def _launch(self) -> None:
        self._launched += 1
        try:
            recorder = await self._mixers.launch_recorder(self.config, self._feed, self._reported, self._exited)
        except LaunchFailed as error:
            self._log.error("recorder_not_launched", reason=str(error))
            self._end(None)
            return
        self._recorder = recorder
        untold, self._untold = self._untold, []
        for note in untold:
            recorder.note(note)
        if self._reason is not None:
            recorder.finish(self._reason)

    def _reported(self, _recorder: RecorderHandle, report: RecorderNews) -> None:
        match report:
            case Failed():
                self._log.error("recording_failed", reason=report.reason, detail=report.detail, kept_ms=report.kept_ms)
                self._tasks.spawn(self.stop(report.reason), "stop failed recording")
            case Finished():
                self._end(report)

    def _exited(self, recorder: RecorderHandle, status: int | None) -> None:
        self._recorder = None
        if self._over or recorder.stopping:
            # One that is left to go on by itself is heard of again when the server starts.
            return
        self._log.error("recorder_died", status=status, launched=self._launched)
        if self._launched < MOST_RECORDERS:
            self._tasks.spawn(self._launch(), "launch recorder")
        else:
            self._end(None)

    def _end(self, finished: Finished | None) -> None:
        if self._over:
            return
        self._over = True
        if self._reason is None:
            self._tasks.spawn(self.stop("recorder_ended"), "stop recording")
        self._close()
        self._results.finished(self, finished)

    def _close(self) -> None:
        if self._feed >= 0:
            os.close(self._feed)
            self._feed = -1


def _notes(conference: Conference, event: Event) -> list[Note]:
    match event:
        case ParticipantJoined():
            kinds = _standing(conference.participants[event.call_id])
        case ParticipantModified():
            kinds = ["coaching" if event.coaching else "uncoached"]
        case ParticipantLeft() | ParticipantMuted() | ParticipantUnmuted() | ParticipantHeld() | ParticipantUnheld():
            kinds = [_NOTES[type(event)]]
        case _:
            return []
    label = conference.participants[event.call_id].label
    return [Note(event.at, kind, event.call_id, label) for kind in kinds]


def _standing(participant: Participant) -> list[NoteKind]:
    """Return what is to be told of a participant who is there."""
    kinds: list[NoteKind] = ["joined"]
    if participant.muted:
        kinds.append("muted")
    if participant.hold:
        kinds.append("held")
    if participant.coaching:
        kinds.append("coaching")
    return kinds
