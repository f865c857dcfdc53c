"""ASGI middleware that decides who is asking: every path needs a key but the open ones.

It works on paths, not on routes, so that a route nobody thought of is closed as well. The project of a request (the
id of its key) is left in `request.state.project_id`; what a project may see is the service's affair.
"""

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import ParleyError
from server.keys import ApiKey, credentials, verify

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
DOCS_FILES: Final = "/docs-files"
"""Where the scripts of `/docs` are; open like the page."""
DEV_PROJECT: Final = "dev"
"""The project of requests without a key in dev mode."""


class Auth:
    """Refuses requests without a valid key; in dev mode a key is optional, but a wrong one is still refused."""

    def __init__(self, app: ASGIApp, keys: Sequence[ApiKey], *, dev: bool) -> None:
        self._app = app
        self._keys = keys
        self._dev = dev

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] == "http":
            scope.setdefault("state", {})
            if scope["path"] not in OPEN_PATHS and not scope["path"].startswith(f"{DOCS_FILES}/"):
                scope["state"]["project_id"] = self._project(Headers(scope=scope).get("authorization"))
        await self._app(scope, receive, send)

    def _project(self, authorization: str | None) -> str:
        if self._dev and (authorization is None or not self._keys):
            return DEV_PROJECT
        if authorization is None:
            raise ParleyError("unauthorized", "Send Authorization: Bearer id:secret, or HTTP Basic")
        given = credentials(authorization)
        if given is None:
            raise ParleyError("unauthorized", "The Authorization header is neither Bearer id:secret nor HTTP Basic")
        key_id, secret = given
        if not verify(self._keys, key_id, secret):
            raise ParleyError("unauthorized", "The key is not known here, or its secret is wrong")
        return key_id
