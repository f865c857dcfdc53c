"""Routes of conferences: listing, reading, ending, their events and figures. `{id}` is an id or a name in progress."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query
from fastapi.responses import JSONResponse

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.answers import AnnouncedBody, ConferenceBody, ConferenceList, EventList, StatsBody, stats_body
from server.api.errors import REFUSALS, refusals
from server.api.schemas import Announce
from server.conference.views import conference_view, summary_view
from server.service_history import Page

router = APIRouter(prefix="/v1/conferences", tags=["conferences"], responses=REFUSALS)

MAX_LIST = 1000


@router.get("", summary="List conferences", responses=refusals(503))
async def list_conferences(
    service: ServiceOf,
    project: Project,
    status: Annotated[Literal["init", "in-progress", "completed"] | None, Query()] = None,
    name: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = 100,
    before: Annotated[str | None, Query(max_length=128, description="Id of the last one of the page before.")] = None,
) -> ConferenceList:
    """Return conferences, the newest first, those that ended included."""
    found = await service.list_conferences(project, Page(status, name, limit, before))
    recorded = await service.recording_ids([summary.conference_id for summary in found])
    bodies = [ConferenceBody(**summary_view(s, recorded.get(s.conference_id, ()))) for s in found]
    return ConferenceList(conferences=bodies)


@router.get("/{id}", summary="Read a conference", responses=refusals(404, 503))
async def get_conference(service: ServiceOf, project: Project, id: str) -> ConferenceBody:
    """Return a conference, also one that has ended (by its id)."""
    return ConferenceBody(**conference_view(await service.get_conference(project, id)))


@router.post("/{id}/end", summary="End a conference", responses=refusals(404, 409, 503))
async def end_conference(service: ServiceOf, project: Project, id: str) -> ConferenceBody:
    """End a conference for all. Calls that joined in one request are hung up; the others stay up."""
    return ConferenceBody(**conference_view(await service.end(project, id)))


@router.post("/{id}/announcements", status_code=201, summary="Announce something", responses=refusals(404, 409, 503))
async def announce(
    service: ServiceOf, project: Project, id: str, body: Annotated[Announce, Body(examples=[examples.ANNOUNCE])]
) -> AnnouncedBody:
    """Play audio to all, or to one participant, after what was to be announced there before.

    The answer does not wait for it: `announcement-end` or `announcement-fail` tells how it went.
    """
    return AnnouncedBody(announcement_id=await service.announce(project, id, body.url, body.call_id))


@router.get(
    "/{id}/events", summary="Read a conference's events", responses=refusals(404, 503), response_model=EventList
)
async def list_events(
    service: ServiceOf,
    project: Project,
    id: str,
    after: Annotated[int, Query(ge=0, le=2**62, description="Events with a higher sequence number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = MAX_LIST,
) -> Any:
    """Return the logged events in order, without gaps, also after the conference ended."""
    events, last_sequence = await service.events(project, id, after, limit)
    # The events were rendered when they happened; they are given as they are.
    return JSONResponse({"events": events, "last_sequence": last_sequence})


@router.get("/{id}/stats", summary="Read a conference's figures", responses=refusals(404, 409, 503))
async def get_stats(service: ServiceOf, project: Project, id: str) -> StatsBody:
    """Return what the mixer counted and measured, for itself and for each call."""
    return stats_body(await service.stats(project, id))
