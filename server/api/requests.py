"""ASGI middleware around everything: a request id, one log line a request, and no exception past this point."""

import re
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.api.problems import internal_error, problem
from server.errors import ParleyError

log = structlog.get_logger(__name__)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_QUIET: Final = frozenset({"/healthz", "/readyz"})
"""Asked every few seconds by whoever watches over the server; logged only at debug level."""


class Requests:
    """Names, times and logs each request; turns whatever is raised into a problem."""

    def __init__(self, app: ASGIApp, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        started = self._monotonic()
        status: list[int] = []

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_named)
            except ParleyError as refusal:
                await problem(refusal)(scope, receive, send_named)
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if not status:
                    await internal_error()(scope, receive, send_named)
            write = log.debug if scope["path"] in _QUIET else log.info
            write(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status[0] if status else None,
                project_id=scope.get("state", {}).get("project_id"),
                duration_ms=round((self._monotonic() - started) * 1000, 2),
            )
