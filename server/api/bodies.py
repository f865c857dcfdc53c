"""ASGI middleware that reads a request's body: bounded, JSON only, and strictly JSON.

Routes behind it see a body that parses, holds no NaN, no lone surrogate and no absurd nesting, so that nothing of it
can fail later when it is stored or sent back. What the fields mean is the routes' affair.
"""

import json
from typing import Any, Final, NoReturn

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ParleyError

MAX_BODY_BYTES: Final = 256 * 1024
MAX_NESTING: Final = 32
_JSON_TYPES: Final = ("application/json",)


class Bodies:
    """Reads, checks and replays the body of every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        body = await _read(headers, receive)
        if body:
            check_type(headers.get("content-type", ""))
            scope["state"]["fingerprint"] = canonical(parse(body))
        else:
            scope["state"]["fingerprint"] = b""
        await self._app(scope, _Replay(body, receive), send)


class _Replay:
    """A `receive` that gives the body once, then what the server says (a disconnect)."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def check_type(content_type: str) -> None:
    """Raise `ParleyError` unless a body of this content type is JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "application/sdp":
        raise ParleyError("not_supported_yet", "Content-Type: this version takes no SDP; send {'media': {'rtp': ...}}")
    if media_type not in _JSON_TYPES and not (media_type.startswith("application/") and media_type.endswith("+json")):
        given = f"not {media_type}" if media_type else "and none was given"
        raise ParleyError("unsupported_media_type", f"Content-Type: send application/json, {given}")


def parse(body: bytes) -> Any:
    """Return the JSON value of a body; raise `ParleyError` (malformed_json) if it is not strict JSON in UTF-8."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ParleyError("malformed_json", f"The body is not JSON: {_reason(error)}") from error
    if _nesting(value) > MAX_NESTING:
        raise ParleyError("malformed_json", f"The body is nested deeper than {MAX_NESTING} levels")
    return value


def canonical(value: Any) -> bytes:
    """Return one spelling of a JSON value, whatever the order of keys and the white space it came with."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ParleyError("malformed_json", "The body holds half of a surrogate pair") from error


async def _read(headers: Headers, receive: Receive) -> bytes:
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> ParleyError:
    return ParleyError("body_too_large", f"The body may have {MAX_BODY_BYTES // 1024} KiB")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error) if "JSON value" in str(error) else "a number in it is too long"


def _nesting(value: Any) -> int:
    """Return how many levels of objects and arrays a value has, without recursion."""
    deepest, level = 0, [value]
    while level:
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        deepest += 1
        if deepest > MAX_NESTING:
            break
        level = inner
    return deepest
