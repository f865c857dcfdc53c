"""How the OpenAPI describes refusals: by status, with the codes that may come."""

from typing import Any, Final

from server.api.answers import Problem
from server.api.problems import MEDIA_TYPE
from server.errors import ERRORS

_HEADLINES: Final = {
    400: "The body is not JSON",
    401: "No valid key",
    404: "Unknown here",
    409: "The state of things forbids it",
    413: "The body is too large",
    415: "The body is no JSON by its Content-Type",
    416: "The file has no such part",
    422: "Not valid, or not in this version",
    503: "Cannot be taken now; see Retry-After",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route for these statuses."""
    return {status: _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    examples = {
        code: {
            "summary": kind.title,
            "value": {
                "type": f"urn:parley:error:{code}",
                "title": kind.title,
                "status": kind.status,
                "code": code,
                "detail": kind.title,
            },
        }
        for code, kind in ERRORS.items()
        if kind.status == status
    }
    content = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}, "examples": examples}}
    return {"description": _HEADLINES[status], "content": content}


REFUSALS: Final = refusals(400, 401, 413, 415, 422)
"""What any route that needs a key may answer."""
