"""A request to a user-supplied URL, and what becomes of it at a redirect.

Decides which headers go out, and what a redirect keeps: credentials stay with the server they were meant for. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import urljoin

from server.urls.allowance import Allowance
from server.urls.check import CheckedUrl, check_url
from server.urls.errors import UrlRefused

Method = Literal["GET", "POST"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD: Final = frozenset({307, 308})
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade"})
_OF_THE_BODY: Final = frozenset({"content-type", "content-encoding", "content-language"})
_SECRET: Final = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request. `headers` are the caller's; those that frame the message are added, and only here."""

    method: Method
    url: CheckedUrl
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        framing = [name for name in self.headers if name.lower() in _OURS]
        if framing:
            raise ValueError(f"the client itself sets {', '.join(framing)}")
        if not all(_FIELD.fullmatch(f"{name}:{value}") for name, value in self.headers.items()):
            raise ValueError("a header would break out of its line")

    def wire_headers(self, user_agent: str) -> list[tuple[bytes, bytes]]:
        """Return all headers as they are sent; a header of the caller's beats a default of the same name."""
        given = {name.lower() for name in self.headers}
        headers = {"Host": self.url.host_header}
        defaults = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        if self.url.authorization is not None:
            defaults["Authorization"] = self.url.authorization
        headers |= {name: value for name, value in defaults.items() if name.lower() not in given}
        headers |= self.headers
        if self.method == "POST" or self.content is not None:
            headers["Content-Length"] = str(len(self.content or b""))
        return [(name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items()]

    def redirected(self, status: int, location: str, allowance: Allowance) -> "Outgoing":
        """Return the request that a redirect asks for (RFC 9110 section 15.4); raise `UrlRefused` if we do not go."""
        try:
            target = urljoin(self.url.url, location)
        except ValueError:
            raise UrlRefused("url_invalid", "the server redirects to what is not a URL") from None
        url = check_url(target, allowance)
        headers = dict(self.headers)
        if url.origin != self.url.origin:
            headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
        elif url.authorization is None:
            url = replace(url, authorization=self.url.authorization)
        if status in _KEEPS_METHOD:
            return Outgoing(self.method, url, headers, self.content)
        # What was posted to a place that moved is fetched from the new one, as every client has it.
        headers = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_BODY}
        return Outgoing("GET", url, headers)
