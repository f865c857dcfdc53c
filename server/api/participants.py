"""Routes of participants: calling and joining in one request, listing, changing, kicking."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.answers import CalledBody, ParticipantBody, ParticipantList, media_answer
from server.api.calls import joined_body, wish
from server.api.errors import REFUSALS, refusals
from server.api.fields import checked_name
from server.api.schemas import CallAndJoin, PatchParticipant
from server.conference.commands import Update
from server.conference.views import participant_view
from server.service_calls import NewCall

router = APIRouter(prefix="/v1/conferences/{id}/participants", tags=["participants"], responses=REFUSALS)


@router.post("", status_code=201, summary="Call and join in one request", responses=refusals(409, 503))
async def call_and_join(
    service: ServiceOf,
    project: Project,
    id: str,
    body: Annotated[CallAndJoin, Body(examples=[examples.CALL_AND_JOIN])],
) -> CalledBody:
    """Answer a call and bring it into the conference of this name. Leaving or being kicked hangs it up."""
    name = checked_name(id)
    body.refuse_unsupported()
    new = NewCall(project, body.media.negotiate(), body.label, body.metadata or {})
    joined = await service.call_and_join(new, wish(name, body))
    return CalledBody(**dict(joined_body(joined)), media=media_answer(joined.call))


@router.get("", summary="List participants", responses=refusals(404, 503))
async def list_participants(
    service: ServiceOf,
    project: Project,
    id: str,
    left: Annotated[bool, Query(alias="all", description="Those who left, too.")] = False,
) -> ParticipantList:
    """Return the participants in the order of joining."""
    conference = await service.get_conference(project, id)
    stays = conference.stays if left else conference.present
    return ParticipantList(
        participants=[ParticipantBody(**participant_view(conference, participant)) for participant in stays]
    )


@router.patch("/{call_id}", summary="Change a participant", responses=refusals(404, 409, 503))
async def update_participant(
    service: ServiceOf,
    project: Project,
    id: str,
    call_id: str,
    body: Annotated[PatchParticipant, Body(examples=[examples.PATCH])],
) -> ParticipantBody:
    """Change how a participant takes part; it works in every state, on hold too."""
    # A field that was given as null says something, too: the server's own music.
    conference, participant = await service.update(project, id, Update(call_id, **body.model_dump(exclude_unset=True)))
    return ParticipantBody(**participant_view(conference, participant))


@router.delete("/{call_id}", status_code=204, summary="Kick a participant", responses=refusals(404, 409, 503))
async def kick(service: ServiceOf, project: Project, id: str, call_id: str) -> Response:
    """Throw a participant out. Its call is hung up, however it was made."""
    await service.kick(project, id, call_id)
    return Response(status_code=204)
