"""Routes of calls: making, reading and hanging up; joining and leaving conferences."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.answers import CallBody, CallList, JoinedBody, LeftBody, ParticipantBody, call_body
from server.api.errors import REFUSALS, refusals
from server.api.schemas import CreateCall, Join, JoinParameters, Leave
from server.calls.media import PLAYOUTS
from server.conference.model import BeepMode
from server.conference.views import participant_view
from server.service_calls import NewCall
from server.service_joining import Joined, Wish

router = APIRouter(prefix="/v1/calls", tags=["calls"], responses=REFUSALS)


@router.post(
    "", status_code=201, summary="Answer a call", responses=refusals(503), response_description="The call is up."
)
async def create_call(
    service: ServiceOf, project: Project, body: Annotated[CreateCall, Body(examples=[examples.CREATE_CALL])]
) -> CallBody:
    """Bring a call up. It is sent silence, 20 ms a packet, until it joins a conference."""
    new = NewCall(project, body.media.negotiate(), body.label, body.metadata or {})
    return call_body(await service.create_call(new))


@router.get("", summary="List calls")
async def list_calls(
    service: ServiceOf,
    project: Project,
    ended: Annotated[bool, Query(alias="all", description="Those that ended a while ago, too.")] = False,
) -> CallList:
    """Return the calls that are up, oldest first."""
    return CallList(calls=[call_body(call) for call in service.list_calls(project, ended=ended)])


@router.get("/{call_id}", summary="Read a call", responses=refusals(404))
async def get_call(service: ServiceOf, project: Project, call_id: str) -> CallBody:
    """Return a call; one that ended can be read for a while."""
    return call_body(service.get_call(project, call_id))


@router.delete("/{call_id}", status_code=204, summary="Hang up", responses=refusals(404, 503))
async def hang_up(service: ServiceOf, project: Project, call_id: str) -> Response:
    """Hang up a call. It leaves its conference first."""
    await service.hang_up(project, call_id)
    return Response(status_code=204)


@router.post("/{call_id}/join_conference", summary="Join a conference", responses=refusals(404, 409, 503))
async def join_conference(
    service: ServiceOf, project: Project, call_id: str, body: Annotated[Join, Body(examples=[examples.JOIN])]
) -> JoinedBody:
    """Bring a call into the conference of that name; the first join creates it."""
    body.refuse_unsupported()
    return joined_body(await service.join(project, call_id, wish(body.name, body)))


@router.post("/{call_id}/leave_conference", summary="Leave a conference", responses=refusals(404, 409, 503))
async def leave_conference(
    service: ServiceOf, project: Project, call_id: str, body: Annotated[Leave, Body(examples=[examples.LEAVE])]
) -> LeftBody:
    """Take a call out of its conference. The call stays up and can join again, there or elsewhere."""
    await service.leave(project, call_id, body.conference_id)
    return LeftBody(message="left", call_id=call_id)


def wish(name: str, body: JoinParameters) -> Wish:
    """Return what a validated JOIN asks the service for."""
    return Wish(
        name=name,
        muted=body.muted,
        beep=BeepMode(body.beep),
        wait_url=body.wait_url,
        start_on_enter=body.start_on_enter,
        end_on_exit=body.end_on_exit,
        coach=body.coach,
        max_participants=body.max_participants,
        min_participants_to_start=body.min_participants_to_start,
        region=body.region,
        playout=PLAYOUTS[body.jitter_buffer],
        callback=body.callback,
        recording_callback=body.recording_callback,
        record=body.record == "record-from-start",
        trim=body.trim == "trim-silence",
        tracks=body.tracks,
    )


def joined_body(joined: Joined) -> JoinedBody:
    """Return the answer to a join."""
    conference = joined.conference
    return JoinedBody(
        message="joined",
        call_id=joined.call.call_id,
        conference_id=conference.conference_id,
        name=conference.name,
        participant=ParticipantBody(**participant_view(conference, joined.participant)),
    )
