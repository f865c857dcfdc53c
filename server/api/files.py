"""Files as answers: whole, in ranges (RFC 9110, section 14), or not at all if the client has them already.

starlette sends them; what is decided here is which ranges are taken, so that a range that makes no sense is ignored,
as the RFC has it, and one behind the end is a problem body like any other.
"""

import os
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from server.api.problems import problem
from server.errors import ParleyError
from server.recordings.shelf import Sound

_RANGES: Final = re.compile(r"\s*bytes\s*=\s*([0-9,\s-]+)", re.IGNORECASE)
_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


class SoundResponse(FileResponse):
    """An open file of audio; closes it when it is sent, or cannot be."""

    def __init__(self, sound: Sound) -> None:
        descriptor = sound.file.fileno()
        headers = {"Cache-Control": "private, no-cache"}
        if sound.sha256 is not None:
            headers["ETag"] = f'"{sound.sha256}"'
        super().__init__(
            # The file itself, whatever has become of its name since.
            f"/proc/self/fd/{descriptor}",
            headers=headers,
            media_type=sound.media_type,
            filename=sound.name,
            stat_result=os.fstat(descriptor),
            content_disposition_type="inline",
        )
        self._sound = sound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        with self._sound.file:
            asked = Headers(scope=scope)
            if _has(asked.get("if-none-match"), self.headers["etag"]):
                await Response(status_code=304, headers=self._known())(scope, receive, send)
                return
            try:
                wanted = self._ranges(asked)
            except ParleyError as error:
                size = self.headers["content-length"]
                await problem(error, {"Content-Range": f"bytes */{size}"})(scope, receive, send)
                return
            await super().__call__(_with_range(scope, wanted), receive, send)

    def _ranges(self, asked: Headers) -> str | None:
        """Return the ranges to send, as a header; None: the whole file."""
        given, if_range = asked.get("range"), asked.get("if-range")
        if given is None or (if_range is not None and not self._should_use_range(if_range)):
            return None
        return usable_ranges(given, int(self.headers["content-length"]))

    def _known(self) -> dict[str, str]:
        return {name: self.headers[name] for name in ("etag", "last-modified", "cache-control")}


def usable_ranges(given: str, size: int) -> str | None:
    """Return a Range header without the ranges that a file of `size` bytes has not; None: send all of it.

    Raises `ParleyError` (range_not_satisfiable) if it has none of them.
    """
    matched = _RANGES.fullmatch(given)
    if matched is None:
        return None
    usable = []
    for part in matched[1].split(","):
        one = _RANGE.fullmatch(part.strip())
        if one is None or (one[2] and int(one[2]) < int(one[1])):
            return None
        first = int(one[1]) if one[1] else max(0, size - int(one[3]))
        if first < size:
            usable.append(f"{first}-{one[2] or ''}")
    if not usable:
        raise ParleyError("range_not_satisfiable", f"the file has {size} bytes, none of them in {given!r:.100}")
    return "bytes=" + ",".join(usable)


def _has(if_none_match: str | None, etag: str) -> bool:
    given = [] if if_none_match is None else [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in given or given == ["*"]


def _with_range(scope: Scope, wanted: str | None) -> Scope:
    """Return a request that asks for these ranges and nothing else."""
    copied = {**scope, "headers": list(scope["headers"])}
    headers = MutableHeaders(scope=copied)
    for name in ("range", "if-range"):
        del headers[name]
    if wanted is not None:
        headers["range"] = wanted
    return copied
