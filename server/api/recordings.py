"""Routes of recordings: starting and steering them, what is known of them, and their sound."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, Path, Query, Response

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.answers import RecordingBody, RecordingList
from server.api.errors import REFUSALS, refusals
from server.api.files import SoundResponse
from server.api.schemas import PatchRecording, StartRecording
from server.conference.recordings import PauseBehavior
from server.errors import invalid
from server.service_recording_requests import RecordingPage, View

router = APIRouter(tags=["recordings"], responses=REFUSALS)

MAX_LIST: Final = 1000
_ONE: Final = "/v1/recordings/{recording_id}"
_SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The audio", "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The part of it that `Range` asked for"},
    304: {"description": "The client has it already, by `If-None-Match`"},
    **refusals(404, 409, 416, 503),
}

RecordingId = Annotated[str, Path(max_length=128)]
Channels = Annotated[Literal["1", "2"], Query(description="2: one participant left, all others right; needs `tracks`.")]
Left = Annotated[
    str | None,
    Query(max_length=128, description="With two channels: the call on the left; otherwise the first who joined is."),
]


@router.post(
    "/v1/conferences/{id}/recordings",
    status_code=201,
    summary="Record a conference",
    responses=refusals(404, 409, 503),
)
async def start_recording(
    service: ServiceOf,
    project: Project,
    id: str,
    body: Annotated[StartRecording, Body(examples=[examples.RECORD], default_factory=StartRecording)],
) -> RecordingBody:
    """Record what the conference hears from now on. One recording goes on at a time."""
    trim = body.trim == "trim-silence"
    return RecordingBody(**await service.start_recording(project, id, trim=trim, tracks=body.tracks))


@router.get("/v1/recordings", summary="List recordings", responses=refusals(503))
async def list_recordings(
    service: ServiceOf,
    project: Project,
    conference_id: Annotated[str | None, Query(max_length=128, description="Id, or name in progress.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = 100,
    before: Annotated[str | None, Query(max_length=128, description="Id of the last one of the page before.")] = None,
) -> RecordingList:
    """Return recordings, the newest first, those that go on included."""
    found = await service.list_recordings(project, RecordingPage(conference_id, limit, before))
    return RecordingList(recordings=[RecordingBody(**recording) for recording in found])


@router.get(_ONE, summary="Read a recording", responses=refusals(404, 503))
async def get_recording(service: ServiceOf, project: Project, recording_id: RecordingId) -> RecordingBody:
    """Return a recording: while it goes on, how long it is by now; then what its files are."""
    return RecordingBody(**await service.get_recording(project, recording_id))


@router.patch(_ONE, summary="Pause, resume or stop a recording", responses=refusals(404, 409, 503))
async def change_recording(
    service: ServiceOf,
    project: Project,
    recording_id: RecordingId,
    body: Annotated[PatchRecording, Body(examples=[examples.PAUSE])],
) -> RecordingBody:
    """Pause a recording, let it go on, or stop it for good. What is so already changes nothing."""
    if body.pause_behavior is not None and body.status != "paused":
        raise invalid("pause_behavior", "goes with status 'paused' only")
    behavior = PauseBehavior(body.pause_behavior or PauseBehavior.SILENCE)
    return RecordingBody(**await service.change_recording(project, recording_id, body.status, behavior))


@router.delete(_ONE, status_code=204, summary="Delete a recording", responses=refusals(404, 409, 503))
async def delete_recording(service: ServiceOf, project: Project, recording_id: RecordingId) -> None:
    """Delete a recording that is over, with all its files, wherever they are kept."""
    await service.delete_recording(project, recording_id)


@router.get(f"{_ONE}/manifest", summary="Read a recording's manifest", responses=refusals(404, 409, 503))
async def get_manifest(service: ServiceOf, project: Project, recording_id: RecordingId) -> Response:
    """Return all that is known of a recording: participants, pauses, gaps, what was cut off, files and their hashes."""
    return Response(await service.recording_manifest(project, recording_id), media_type="application/json")


@router.head(f"{_ONE}/audio", include_in_schema=False)
@router.get(f"{_ONE}/audio", summary="Download a recording", response_class=Response, responses=_SOUND)
async def get_audio(
    service: ServiceOf, project: Project, recording_id: RecordingId, channels: Channels = "1", left: Left = None
) -> SoundResponse:
    """Return the room's sound as WAV: exactly what `sha256` and `byte_size` of the recording describe."""
    return SoundResponse(await service.recording_audio(project, recording_id, _view("wav", channels, left)))


@router.head(f"{_ONE}/audio.{{form}}", include_in_schema=False)
@router.get(f"{_ONE}/audio.{{form}}", summary="Download in a format", response_class=Response, responses=_SOUND)
async def get_audio_as(
    service: ServiceOf,
    project: Project,
    recording_id: RecordingId,
    form: Literal["wav", "flac", "ogg", "mp3"],
    channels: Channels = "1",
    left: Left = None,
) -> SoundResponse:
    """Return the room's sound as WAV, FLAC, Ogg Opus or MP3. A format that was not asked for before is made first."""
    return SoundResponse(await service.recording_audio(project, recording_id, _view(form, channels, left)))


@router.head(f"{_ONE}/tracks/{{call_id}}/audio.flac", include_in_schema=False)
@router.get(
    f"{_ONE}/tracks/{{call_id}}/audio.flac",
    summary="Download one voice",
    response_class=Response,
    responses=_SOUND,
)
async def get_track(
    service: ServiceOf, project: Project, recording_id: RecordingId, call_id: Annotated[str, Path(max_length=128)]
) -> SoundResponse:
    """Return what one participant said, as FLAC, of a recording that was made with `tracks`."""
    return SoundResponse(await service.recording_track(project, recording_id, call_id))


def _view(form: Literal["wav", "flac", "ogg", "mp3"], channels: Literal["1", "2"], left: str | None) -> View:
    return View(form, 2 if channels == "2" else 1, left)
