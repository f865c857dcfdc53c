"""Liveness and readiness, open to whoever watches over the server."""

from fastapi import APIRouter, Response

from server.api.access import ServiceOf
from server.api.answers import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the server alive?")
async def healthz() -> Health:
    """200 as long as the process answers, while draining too."""
    return Health()


@router.get(
    "/readyz",
    summary="Should the server get traffic?",
    responses={503: {"model": Readiness, "description": "Starting, draining, or the lobby is being replaced"}},
)
async def readyz(service: ServiceOf, response: Response) -> Readiness:
    """200 once the journal, the mixers' parent and the lobby are up; else 503 with the reasons."""
    reasons = service.unready()
    if reasons:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return Readiness(status="not ready" if reasons else "ready", reasons=reasons)
