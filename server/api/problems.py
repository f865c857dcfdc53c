"""Errors as RFC 9457 problem JSON: the one shape in which anything that went wrong reaches a caller.

Codes and statuses come from `server.errors`. An unexpected exception becomes `internal_error` with nothing of it in
the body; the log has the rest under the same request id.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.errors import ERRORS, ParleyError

MEDIA_TYPE: Final = "application/problem+json"
log = structlog.get_logger(__name__)

_BY_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 400: "malformed_json", 401: "unauthorized"}


def problem(error: ParleyError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the response for a refusal."""
    body: dict[str, Any] = {
        "type": f"urn:parley:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if error.fields:
        body["errors"] = [{"field": field, "message": message} for field, message in error.fields]
    all_headers = dict(headers or {})
    if error.retry_after_s is not None:
        all_headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        all_headers["WWW-Authenticate"] = 'Bearer realm="parley", Basic realm="parley"'
    return JSONResponse(body, status_code=error.status, headers=all_headers, media_type=MEDIA_TYPE)


def internal_error() -> JSONResponse:
    """Return the response for an exception nobody expected."""
    return problem(ParleyError("internal_error", "The request failed by a mistake of ours; the log has the details."))


def validation_error(errors: Sequence[Any]) -> ParleyError:
    """Turn pydantic's errors into one refusal that names every field."""
    fields = tuple((_field(item["loc"]), _message(item)) for item in errors)
    detail = "; ".join(f"{field}: {message}" for field, message in fields)
    return ParleyError("invalid_request", detail, fields=fields)


def install(app: FastAPI) -> None:
    """Make `app` answer every error inside a route as a problem."""
    app.add_exception_handler(ParleyError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


async def _on_refusal(_request: Request, error: Exception) -> JSONResponse:
    refusal = cast(ParleyError, error)
    if refusal.fault == "us":
        log.warning("refused", code=refusal.code, detail=refusal.detail)
    return problem(refusal)


async def _on_invalid(_request: Request, error: Exception) -> JSONResponse:
    return problem(validation_error(cast(RequestValidationError, error).errors()))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    failure = cast(HTTPException, error)
    code = _BY_STATUS.get(failure.status_code, "internal_error")
    details = {
        "not_found": f"There is nothing at {request.url.path}",
        "method_not_allowed": f"{request.url.path} does not take {request.method}",
    }
    kind = ERRORS[code]
    return problem(ParleyError(code, details.get(code, kind.title)), failure.headers)


def _field(location: Sequence[Any]) -> str:
    """Return a dotted path without the part of the request it is in (`body`, `query`, `path`)."""
    parts = [str(part) for part in location]
    inner = parts[1:] if parts and parts[0] in {"body", "query", "path", "header"} else parts
    return ".".join(inner) or "body"


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown field"
    if item["type"] == "missing":
        return "missing"
    return str(item["msg"]).removeprefix("Value error, ")
