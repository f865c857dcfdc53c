"""Routes of webhook deliveries: what became of them, and having events sent again."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, Query

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.answers import DeliveryBody, DeliveryList, ReplayedBody
from server.api.errors import REFUSALS, refusals
from server.api.schemas import Replay
from server.conference.moments import rfc3339_ms
from server.service_events import Again, DeliveryPage
from server.webhooks.model import DeliveryRecord, DeliveryState

router = APIRouter(tags=["webhooks"], responses=REFUSALS)

MAX_LIST = 1000


@router.get("/v1/webhook-deliveries", summary="List webhook deliveries", responses=refusals(503))
async def list_deliveries(
    service: ServiceOf,
    project: Project,
    conference_id: Annotated[str | None, Query(max_length=128, description="Id, or name in progress.")] = None,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIST)] = MAX_LIST,
    before: Annotated[
        int | None, Query(ge=0, le=2**62, description="`delivery_id` of the last one of the page before.")
    ] = None,
) -> DeliveryList:
    """Return the state of each delivery, the newest first: tried how often, with what outcome, due when."""
    found = await service.list_deliveries(project, DeliveryPage(conference_id, state, limit, before))
    return DeliveryList(deliveries=[_body(record) for record in found])


@router.post(
    "/v1/conferences/{id}/events/replay",
    status_code=202,
    summary="Send events again",
    responses=refusals(404, 409, 503),
)
async def replay(
    service: ServiceOf, project: Project, id: str, body: Annotated[Replay, Body(examples=[examples.REPLAY])]
) -> ReplayedBody:
    """Deliver logged events again, also after the conference ended, under the same ids as the first time.

    Without `url` the conference's callbacks are told, each of what it asked for; with one, it is told of every event.
    What still waits for these endpoints is tried at once.
    """
    return ReplayedBody(replayed=await service.replay(project, id, Again(body.after, body.until, body.url)))


def _body(record: DeliveryRecord) -> DeliveryBody:
    return DeliveryBody(
        delivery_id=record.delivery_id,
        conference_id=record.conference_id,
        event_id=record.event_id,
        sequence=record.sequence,
        status=record.status,
        kind=record.kind,
        url=without_credentials(record.url),
        encoding=record.encoding,
        method=record.method,
        state=record.state,
        attempts=record.attempts,
        created_at=rfc3339_ms(record.created_at),
        next_attempt_at=_moment(record.next_at),
        last_attempt_at=_moment(record.last_attempt_at),
        delivered_at=_moment(record.delivered_at),
        last_status=record.last_status,
        last_error=record.last_error,
    )


def _moment(unix_s: float | None) -> str | None:
    return None if unix_s is None else rfc3339_ms(unix_s)


def without_credentials(url: str) -> str:
    """Return a URL with `***` in place of a name and password in it; the query is what tells endpoints apart."""
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"***@{host}").geturl() if at else url
