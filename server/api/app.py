"""Puts the API together: routes, the layers around them, and the OpenAPI that describes them.

From outside in: request id and log line, key, body, idempotency, routes.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware

from server.api import calls, conferences, deliveries, events, health, participants, recordings
from server.api.answers import Problem
from server.api.auth import DOCS_FILES, OPEN_PATHS, Auth
from server.api.bodies import Bodies
from server.api.idempotency import HEADER, Idempotency
from server.api.problems import install
from server.api.requests import Requests
from server.service import Service

TAGS: Final = [
    {"name": "calls", "description": "A call is one party's media connection."},
    {"name": "participants", "description": "A participant is a call in a conference."},
    {"name": "conferences", "description": "Created by the first join, ended by the last leave, or earlier."},
    {"name": "recordings", "description": "What the room heard, and each voice by itself."},
    {"name": "events", "description": "What happens, as it happens; resumable."},
    {"name": "webhooks", "description": "Events are delivered at least once, in order per conference and endpoint."},
    {"name": "health", "description": "For load balancers and supervisors; open without a key."},
]
DESCRIPTION: Final = """\
Calls join conferences over HTTP; their RTP is mixed. Errors are RFC 9457 problems with a stable `code`.

Every POST takes an `Idempotency-Key` header: the same key and body give the first answer again and change nothing.
`{id}` of a conference is its id, or the name of the conference in progress under that name.
"""


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application over a service, which may still be starting."""
    context = service.context
    app = _routes(
        [
            Middleware(Requests, monotonic=context.clock.monotonic),
            Middleware(Auth, keys=context.settings.api_keys, dev=context.settings.dev),
            Middleware(Bodies),
            Middleware(Idempotency, memory=context.journal, clock=context.clock),
        ]
    )
    app.state.service = service
    install(app)
    return app


def describe() -> dict[str, Any]:
    """Return the OpenAPI of this version."""
    return _routes([]).openapi()


def _routes(middleware: list[Middleware]) -> FastAPI:
    # Its pages carry their scripts with them: a server without internet has a /docs all the same.
    app = FastAPIOffline(
        title="Parley",
        version=product_version(),
        description=DESCRIPTION,
        openapi_tags=[dict(tag) for tag in TAGS],
        redoc_url=None,
        static_url=DOCS_FILES,
        redirect_slashes=False,
        middleware=middleware,
    )
    for module in (calls, participants, conferences, recordings, events, deliveries, health):
        app.include_router(module.router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


def product_version() -> str:
    """Return the installed version; a source tree that is not installed has none."""
    try:
        return version("parley")
    except PackageNotFoundError:
        return "0+source"


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = _describe(app)
    return app.openapi_schema


def _describe(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
    )
    components = schema.setdefault("components", {})
    definitions = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions.update(problem.pop("$defs", {}))
    definitions[Problem.__name__] = problem
    # FastAPI describes its own error body, which this API never sends.
    definitions.pop("HTTPValidationError", None)
    definitions.pop("ValidationError", None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "`id:secret` of an API key"},
        "basic": {"type": "http", "scheme": "basic", "description": "id and secret of an API key"},
    }
    schema["security"] = [{"bearer": []}, {"basic": []}]
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            if path in OPEN_PATHS:
                operation["security"] = []
            if method == "post":
                operation.setdefault("parameters", []).append(_idempotency_key())
    return schema


def _idempotency_key() -> dict[str, Any]:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        "description": "The same key and body again give the first answer again and change nothing.",
    }
