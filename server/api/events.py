"""The route of live events: server-sent events (WHATWG HTML, section 9.2), which a client can resume.

Frames carry no `event:` field, so that `EventSource.onmessage` gets them; the one exception is `gap`, which tells that
events were missed. What is sent, and from where on, is `service_events`' affair.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event

from server.api import examples
from server.api.access import Project, ServiceOf
from server.api.errors import REFUSALS, refusals
from server.live_events import Only
from server.service_events import Feed

router = APIRouter(prefix="/v1/events", tags=["events"], responses=REFUSALS)

LONGEST_ID: Final = 128
KEEP_ALIVE: Final = format_sse_event(comment="keep-alive")
GAP: Final = format_sse_event(event="gap", data_str='{"reason":"unknown_last_event_id"}')
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Proxies are to hand on each event as it comes."""
_AFTER: Final = "Last-Event-ID"


def frame(event: dict[str, Any]) -> bytes:
    """Return an EVENT as a server-sent event of its id."""
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return format_sse_event(data_str=text, id=event["id"])


_EXAMPLE: Final = (GAP + frame(examples.EVENT) + KEEP_ALIVE).decode()


@router.get(
    "",
    summary="Follow events live",
    # With EventSourceResponse here, FastAPI would take the function for a generator, and send 200 before it has run.
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, each the JSON of an EVENT under its id, until the client goes away",
            "headers": {
                _AFTER: {
                    "description": "Resume with this one while you have seen no event.",
                    "schema": {"type": "string"},
                }
            },
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **refusals(503),
    },
)
async def follow_events(
    service: ServiceOf,
    project: Project,
    last_event_id: Annotated[
        str | None, Header(description="Id of the last event you have, as a browser sends it by itself.")
    ] = None,
    after_id: Annotated[
        str | None,
        Query(
            alias="last_event_id",
            max_length=LONGEST_ID,
            description="The same, for who cannot send headers; `0`: from the oldest event that is kept.",
        ),
    ] = None,
    conference_id: Annotated[str | None, Query(max_length=LONGEST_ID, description="Of this conference only.")] = None,
    name: Annotated[str | None, Query(max_length=LONGEST_ID, description="Of conferences of this name only.")] = None,
) -> EventSourceResponse:
    """Send the events of all conferences as they happen, in the order in which they were written.

    Without the id of an event it begins with now. A comment is sent in 15 s of silence. If the event is not known
    here, or no longer, an event of type `gap` comes first and then everything that is kept.
    """
    # The header is what the client saw last; a browser that reconnects repeats the query of the first time.
    feed = await service.follow_events(project, last_event_id or after_id or None, Only(conference_id, name))
    return EventSourceResponse(_frames(feed), headers={**_HEADERS, _AFTER: feed.after})


async def _frames(feed: Feed) -> AsyncIterator[bytes]:
    if feed.gap:
        yield GAP
    async with aclosing(feed.batches) as batches:
        async for batch in batches:
            yield b"".join(map(frame, batch)) if batch else KEEP_ALIVE
