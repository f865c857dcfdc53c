"""Recordings as users see them, and what becomes of each when its sound is over.

Whatever ends a recording, its result comes through here: the manifest goes into the journal, `record-stop` into the
conference's log, and so to whoever wants to be told. That includes those that a crash cut off: they are repaired when
the server starts. What a recording is made of while it goes on is `service_recording`'s affair.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from recording.catalog import Finished, Manifest, folder_name, repair_command
from server import children
from server.conference.commands import RecordingFinished
from server.conference.model import Conference
from server.conference.recordings import RecordingResult, RecordingState
from server.service_context import Context
from server.service_recording import RecordingRun
from server.service_retry import until_written
from server.service_steps import carry_out, consider, write

log = structlog.get_logger(__name__)

REPAIR_WITHIN_S: Final = 3600.0
"""Hours of sound are published in minutes; what takes longer hangs."""
LOST: Final = RecordingResult(RecordingState.FAILED, reason="lost")


class Recordings:
    """The recordings of a server."""

    def __init__(self, context: Callable[[], Context]) -> None:
        """`context` is asked for once the service is put together."""
        self._context = context

    def finished(self, run: RecordingRun, finished: Finished | None) -> None:
        """Take over what a recorder left; None: it died and left things as they were."""
        self._context().tasks.spawn(self._settle(run, finished), "settle recording")

    def never_began(self, conference: Conference, recording_id: str) -> None:
        """Tell of a recording that its mixer would not make."""
        failed = RecordingResult(RecordingState.FAILED, reason="mixer_unavailable")
        self._context().tasks.spawn(self._tell(conference.conference_id, recording_id, failed), "tell of recording")

    async def _settle(self, run: RecordingRun, finished: Finished | None) -> None:
        context = self._context()
        live = context.live.by_id(run.config.conference_id)
        if live is not None and live.recording is run:
            live.recording = None
        if finished is None:
            manifest = await self.repaired(run.recording_id, context.clock.now())
        else:
            directory = context.settings.recordings_dir
            manifest = await asyncio.to_thread(load_manifest, directory, run.recording_id)
        result = result_of(manifest, finished)
        await self._keep(run.recording_id, manifest)
        run.result.set_result(result)
        await self._tell(run.config.conference_id, run.recording_id, result)
        context.store.finished()

    async def repaired(self, recording_id: str, until_unix_s: float | None = None) -> Manifest | None:
        """Publish what a dead recorder left, in a child process; return None if there is nothing to be had."""
        directory = self._context().settings.recordings_dir
        command = repair_command(directory, recording_id=recording_id, until_unix_s=until_unix_s)
        try:
            ended = await children.run(command, REPAIR_WITHIN_S)
        except (OSError, TimeoutError) as error:
            log.error("recording_not_repaired", recording_id=recording_id, reason=str(error) or "it took too long")
            return None
        if ended.status != 0:
            log.error("recording_not_repaired", recording_id=recording_id, reason=ended.words)
        return await asyncio.to_thread(load_manifest, directory, recording_id)

    async def recovered(self, conference_id: str, recording_id: str, manifest: Manifest | None) -> None:
        """Tell of a recording of which only now is known what came of it; None: nothing is left of it."""
        await self._keep(recording_id, manifest)
        await self._tell(conference_id, recording_id, LOST if manifest is None else _recovered(manifest))

    async def done_meanwhile(self, conference: Conference) -> list[RecordingFinished]:
        """Return what is to be told of recordings that their recorders finished after an earlier server had gone.

        Their manifests are kept then. Of the others it is told later, by recovery.
        """
        context = self._context()
        directory = context.settings.recordings_dir
        ids = [recording.recording_id for recording in conference.recordings if not recording.state.final]
        done = []
        for recording_id in ids:
            if not (directory / folder_name(recording_id)).exists():
                continue
            manifest = await asyncio.to_thread(load_manifest, directory, recording_id)
            if manifest is not None:
                await context.journal.keep_manifest(recording_id, manifest.dump().decode())
                done.append(RecordingFinished(recording_id, _recovered(manifest)))
        return done

    async def _keep(self, recording_id: str, manifest: Manifest | None) -> None:
        if manifest is not None:
            content = manifest.dump().decode()
            await until_written(lambda: self._context().journal.keep_manifest(recording_id, content))

    async def _tell(self, conference_id: str, recording_id: str, result: RecordingResult) -> None:
        """Log the end of a recording, whether its conference goes on or has ended."""
        command = RecordingFinished(recording_id, result)
        await until_written(lambda: self._finish(conference_id, command))

    async def _finish(self, conference_id: str, command: RecordingFinished) -> None:
        context = self._context()
        about = await context.journal.summary(conference_id)
        if about is None:
            await self._finish_without_a_log(conference_id, command)
            return
        async with context.live.locked((about.project_id, about.name)):
            live = context.live.by_id(conference_id)
            if live is not None and not live.ended:
                await carry_out(context, live, command)
                return
            ended = await context.journal.load(conference_id)
            if ended is None:
                await self._finish_without_a_log(conference_id, command)
                return
            _, after, entries = consider(context, ended, command, context.clock.now())
            await write(context, after, entries)

    async def _finish_without_a_log(self, conference_id: str, command: RecordingFinished) -> None:
        """Keep what came of a recording whose conference was forgotten meanwhile: nobody is left to be told."""
        log.warning("recording_of_no_conference", recording_id=command.recording_id, conference_id=conference_id)
        await self._context().journal.finish_recording(command.recording_id, command.result)


def load_manifest(directory: Path, recording_id: str) -> Manifest | None:
    """Return a published recording's manifest; None if there is none that can be read."""
    try:
        return Manifest.load(directory / folder_name(recording_id))
    except (OSError, ValueError) as error:
        log.error("manifest_unreadable", recording_id=recording_id, reason=str(error))
        return None


def _recovered(manifest: Manifest) -> RecordingResult:
    # Its recorder may have finished it in peace, and then the server died: nobody was told then, either.
    return replace(result_of(manifest), recovered=True)


def result_of(manifest: Manifest | None, finished: Finished | None = None) -> RecordingResult:
    """Return what a manifest, or at least a recorder's last word, says came of a recording."""
    if manifest is None:
        reason = finished.reason if finished is not None else "recorder_died"
        return RecordingResult(RecordingState.FAILED, reason=reason)
    state = RecordingState(manifest.status)
    audio = manifest.files.audio
    return RecordingResult(
        state,
        duration_s=manifest.duration_s,
        byte_size=audio.byte_size if audio is not None else 0,
        recovered=manifest.recovered,
        lost_ms=manifest.lost_ms,
        reason=manifest.reason if state is not RecordingState.COMPLETED else None,
    )
