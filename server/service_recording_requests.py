"""Use cases of recordings: starting, pausing, stopping, reading, downloading and deleting them.

One that goes on is known from its conference, one that is over from its row in the journal. A project finds its own
recordings only; another's is as unknown as one that never was.
"""

from dataclasses import dataclass
from typing import Any, Literal

from recording.catalog import Format, Manifest
from server.conference.commands import PauseRecording, RecordingCommand, ResumeRecording, StartRecording, StopRecording
from server.conference.recordings import PauseBehavior, Recording, RecordingPlan
from server.errors import ParleyError, invalid
from server.journal import JournalUnavailable
from server.recordings.model import RecordingRow
from server.recordings.shelf import Sound
from server.recordings.views import audio_url, manifest_of, row_view, running_view
from server.service_conferences import in_progress
from server.service_context import Context
from server.service_history import conference_id_of
from server.service_steps import carry_out

Wanted = Literal["paused", "in-progress", "stopped"]


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """Which recordings a list is to hold: None is any."""

    conference_id: str | None = None
    limit: int = 100
    before: str | None = None
    """Id of the last recording of the page before."""


@dataclass(frozen=True, slots=True)
class View:
    """How a recording is to be heard: in a format, as one channel, or with one call left and all others right."""

    form: Format
    channels: Literal[1, 2] = 1
    left: str | None = None
    """Call id; with two channels and without it the first who joined is left."""


async def start(context: Context, project_id: str, reference: str, *, trim: bool, tracks: bool) -> dict[str, Any]:
    """Record a conference from now on; return RECORDING."""
    async with in_progress(context, project_id, reference) as live:
        recording_id = context.new_id()
        url = audio_url(context.settings.link_base, recording_id)
        await carry_out(context, live, StartRecording(RecordingPlan(recording_id, url, trim, tracks)))
        recording = live.conference.find_recording(recording_id)
        assert recording is not None, "what was started is there"
        return _running(context, live.conference_id, recording)


async def change(
    context: Context, project_id: str, recording_id: str, wanted: Wanted, behavior: PauseBehavior
) -> dict[str, Any]:
    """Pause, resume or stop a recording; return RECORDING afterwards."""
    row = await _row(context, project_id, recording_id)
    if context.live.by_id(row.conference_id) is None:
        raise ParleyError("recording_ended", f"the recording {recording_id!r} is {row.status}")
    command: RecordingCommand
    match wanted:
        case "paused":
            command = PauseRecording(recording_id, behavior)
        case "in-progress":
            command = ResumeRecording(recording_id)
        case "stopped":
            command = StopRecording(recording_id)
    async with in_progress(context, project_id, row.conference_id) as live:
        await carry_out(context, live, command)
        recording = live.conference.find_recording(recording_id)
        assert recording is not None, "the rules refuse what is not there"
        return _running(context, live.conference_id, recording)


async def get(context: Context, project_id: str, recording_id: str) -> dict[str, Any]:
    """Return RECORDING."""
    return _view(context, await _row(context, project_id, recording_id))


async def list_recordings(context: Context, project_id: str, page: RecordingPage) -> list[dict[str, Any]]:
    """Return RECORDINGs, the newest first."""
    conference_id = conference_id_of(context, project_id, page.conference_id)
    try:
        last = None if page.before is None else await context.journal.recording(page.before)
        if page.before is not None and (last is None or last.project_id != project_id):
            raise invalid("before", f"there is no recording {page.before!r}")
        rows = await context.journal.list_recordings(project_id, conference_id, page.limit, last)
    except JournalUnavailable as error:
        raise _unreadable() from error
    return [_view(context, row) for row in rows]


async def delete(context: Context, project_id: str, recording_id: str) -> None:
    """Remove a recording with all its files and copies."""
    row = await _row(context, project_id, recording_id)
    if not row.final:
        raise ParleyError("recording_in_progress", f"the recording {recording_id!r} is {_status(context, row)}")
    try:
        # Marked first: whatever happens next, nobody is shown half a recording.
        await context.journal.mark_deleted(recording_id, context.clock.now())
    except JournalUnavailable as error:
        raise ParleyError("journal_unavailable", "nothing can be deleted now; nothing was changed") from error
    await context.store.remove(recording_id)


async def audio(context: Context, project_id: str, recording_id: str, view: View) -> Sound:
    """Open a recording's sound."""
    if view.left is not None and view.channels == 1:
        raise invalid("left", "one channel has no left; ask for channels=2")
    row, manifest = await _done(context, project_id, recording_id)
    left = view.left
    if view.channels == 2 and left is None and manifest.files.tracks:
        left = manifest.files.tracks[0].call_id
    if view.channels == 2 and left is None and manifest.files.audio is not None:
        raise ParleyError("tracks_not_recorded", f"the recording {recording_id!r} has no tracks to tell apart")
    return await context.store.shelf.audio(row, manifest, view.form, left)


async def track(context: Context, project_id: str, recording_id: str, call_id: str) -> Sound:
    """Open what one participant said."""
    row, manifest = await _done(context, project_id, recording_id)
    return await context.store.shelf.track(row, manifest, call_id)


async def manifest(context: Context, project_id: str, recording_id: str) -> bytes:
    """Return a recording's manifest as it was published (JSON)."""
    _, found = await _done(context, project_id, recording_id)
    return found.dump()


async def recording_ids(context: Context, conference_ids: list[str]) -> dict[str, list[str]]:
    """Return the recordings of conferences, in the order they began."""
    try:
        return await context.journal.recording_ids(conference_ids)
    except JournalUnavailable as error:
        raise _unreadable() from error


async def _done(context: Context, project_id: str, recording_id: str) -> tuple[RecordingRow, Manifest]:
    """Return a recording that is over and its manifest; raise `ParleyError`, also if it never had one."""
    row = await _row(context, project_id, recording_id)
    if not row.final:
        raise ParleyError("recording_not_ready", f"the recording {recording_id!r} is {_status(context, row)}")
    found = manifest_of(row)
    if found is None:
        raise ParleyError("not_found", f"the recording {recording_id!r} is {row.status}: nothing of it was kept")
    return row, found


async def _row(context: Context, project_id: str, recording_id: str) -> RecordingRow:
    try:
        row = await context.journal.recording(recording_id)
    except JournalUnavailable as error:
        raise _unreadable() from error
    if row is None or row.project_id != project_id or row.deleted_at is not None:
        raise ParleyError("not_found", f"there is no recording {recording_id!r}")
    return row


def _view(context: Context, row: RecordingRow) -> dict[str, Any]:
    recording = _current(context, row)
    if recording is not None:
        return _running(context, row.conference_id, recording)
    return row_view(row, context.settings.link_base)


def _running(context: Context, conference_id: str, recording: Recording) -> dict[str, Any]:
    return running_view(conference_id, recording, context.clock.now(), context.settings.link_base)


def _status(context: Context, row: RecordingRow) -> str:
    recording = _current(context, row)
    return row.status.value if recording is None else recording.state.value


def _current(context: Context, row: RecordingRow) -> Recording | None:
    """Return a recording of which it is not known yet what came of it, from its conference if that goes on."""
    live = context.live.by_id(row.conference_id)
    recording = None if live is None or row.final else live.conference.find_recording(row.recording_id)
    return None if recording is None or recording.state.final else recording


def _unreadable() -> ParleyError:
    return ParleyError("journal_unavailable", "the recordings cannot be read now")
