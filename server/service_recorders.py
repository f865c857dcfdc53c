"""What a conference's events do to its recording: it begins, pauses, goes on, stops, and is told who comes and goes.

What becomes of its files is decided in `service_recordings`.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from recording.catalog import RecorderConfig
from server.conference.commands import Command, MeasureRecording
from server.conference.events import (
    ConferenceEnded,
    Event,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopping,
)
from server.conference.recordings import RecordingSource
from server.mixers.errors import MixerGone, MixerRefused
from server.service_context import Context
from server.service_live import Live
from server.service_recording import RecordingRun

log = structlog.get_logger(__name__)

RESULT_WITHIN_S: Final = 1.5
"""How long a conference's end waits for a recording's files, so that it can tell of them."""


async def follow(context: Context, live: Live, events: Sequence[Event]) -> None:
    """Do to the recording what follows from events; call it when the mixer knows who hears whom."""
    run = live.recording
    if run is not None:
        run.note(live.conference, events)
    for event in events:
        match event:
            case RecordingStarted():
                live.recording = await _begin(context, live, event)
            case RecordingPaused() if run is not None:
                await run.pause(event.behavior)
            case RecordingResumed() if run is not None:
                await run.resume()
            case RecordingStopping() if run is not None:
                await run.stop("stopped")


async def measured(context: Context, live: Live, events: Sequence[Event]) -> list[Command]:
    """If events would end a conference that is recorded, end the recording first; return what is to be told of it.

    The files are waited for a short while only: a long recording's result follows on the conference's end.
    """
    run = live.recording
    if run is None or not any(isinstance(event, ConferenceEnded) for event in events):
        return []
    await run.stop("conference_ended")
    try:
        async with asyncio.timeout(RESULT_WITHIN_S):
            result = await asyncio.shield(run.result)
    except TimeoutError:
        return []
    recording = live.conference.find_recording(run.recording_id)
    if recording is None or recording.state.final:
        return []
    return [MeasureRecording(run.recording_id, result)]


async def _begin(context: Context, live: Live, event: RecordingStarted) -> RecordingRun | None:
    conference, plan = live.conference, event.plan
    config = RecorderConfig(
        recording_id=plan.recording_id,
        directory=str(context.settings.recordings_dir),
        conference_id=conference.conference_id,
        project_id=conference.project_id,
        conference_name=conference.name,
        started_unix_s=event.at,
        trim=plan.trim,
        tracks=plan.tracks,
        source="api" if event.source is RecordingSource.API else "join",
    )

    run = RecordingRun(config, live.mixer, context.mixers, context.tasks, context.recordings)
    run.note_those_present(conference, event.at)
    try:
        await run.start()
    except (MixerRefused, MixerGone) as error:
        log.error("recording_not_started", recording_id=plan.recording_id, reason=str(error))
        context.recordings.never_began(conference, plan.recording_id)
        return None
    return run
