"""What a user-supplied URL must look like, and what is left of it to send.

Decides scheme, host, port and length, and whether an address written into the URL may be dialled. A name is judged
only when it is resolved, in `dial`, because what it means may change between now and then. Pure.
"""

import base64
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from server.urls.addresses import IPAddress
from server.urls.allowance import PUBLIC_ONLY, Allowance
from server.urls.errors import UrlRefused
from server.urls.hosts import parse_host

HTTP: Final = ("http", "https")
WEBSOCKET: Final = ("ws", "wss")
LONGEST_URL: Final = 2048
"""Characters, the fragment not counted."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FIRST_FREE_PORT: Final = 1024
# Space and controls end a request line or a log line; browsers read a backslash as a slash, and so find another host.
_NEVER_IN_URLS: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_VISIBLE_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
_LONGEST_SAFE: Final = 200
_LOCALHOST: Final = IPv4Address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """A URL that may be requested, taken apart. Only `check_url` makes one."""

    scheme: str
    host: str
    """A name, or an address in its usual spelling and without brackets; ASCII."""
    port: int
    target: str = field(repr=False)
    """Path and query, ASCII, as in the request line. It may hold secrets: log `safe` instead."""
    address: IPAddress | None = None
    """What `host` is, if it is not a name."""
    authorization: str | None = field(default=None, repr=False)
    """Value of the Authorization header, if the URL held credentials."""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: who may see what was meant for this URL's server."""
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        """The value of `Host`: the port is left out where it is the scheme's (RFC 9110 section 4.2)."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL without credentials and fragment."""
        return f"{self.scheme}://{self.host_header}{self.target}"

    def with_query(self, query: str) -> "CheckedUrl":
        """Return the URL with more behind its own query; `query` is ours, ASCII and encoded."""
        mark = "&" if "?" in self.target else "?"
        return replace(self, target=f"{self.target}{mark}{query}")

    def without_query(self, name: str) -> "CheckedUrl":
        """Return the URL without the parameters of that name in its query."""
        path, _, query = self.target.partition("?")
        if name not in query:
            return self
        kept = "&".join(part for part in query.split("&") if part.partition("=")[0] != name)
        return replace(self, target=f"{path}?{kept}" if kept else path)

    @property
    def safe(self) -> str:
        """The URL as logs may show it: without credentials, query and fragment."""
        path = self.target.partition("?")[0]
        return f"{self.scheme}://{self.host_header}{path}"[:_LONGEST_SAFE]


def check_url(text: str, allowance: Allowance = PUBLIC_ONLY, *, schemes: Collection[str] = HTTP) -> CheckedUrl:
    """Return what to request; raise `UrlRefused` (`url_invalid` or `url_forbidden`) if it may not be.

    Nothing is resolved: a name that passes here may still be refused when it is dialled.
    """
    url = _parse(text, schemes)
    if url.port not in (80, 443) and url.port < _FIRST_FREE_PORT:
        raise UrlRefused("url_forbidden", f"port {url.port} is not one of 80, 443, and 1024 or above")
    local = url.host == "localhost" or url.host.endswith(".localhost")
    address = _LOCALHOST if local else url.address
    if address is not None and (kind := allowance.refusal(address)):
        raise UrlRefused("url_forbidden", f"{url.host} is not a public address ({kind})")
    return url


def strip_fragment(text: str) -> tuple[str, str]:
    """Return the URL without its fragment, and the fragment without its `#`."""
    url, _, fragment = text.partition("#")
    return url, fragment


def safe_url(text: str) -> str:
    """Return scheme, host, port and path of a URL for a log line, whatever `text` is."""
    try:
        return _parse(text, HTTP + WEBSOCKET).safe
    except UrlRefused:
        return "(not a usable URL)"


def _parse(text: str, schemes: Collection[str]) -> CheckedUrl:
    text, _ = strip_fragment(text)
    if len(text) > LONGEST_URL:
        raise _invalid(f"it is longer than {LONGEST_URL} characters")
    if _NEVER_IN_URLS.search(text):
        raise _invalid("it holds a space, a control character or a backslash, which have to be escaped")
    try:
        parts = urlsplit(text)
        port = parts.port
        target = quote(parts.path or "/", safe=_VISIBLE_ASCII)
        if parts.query:
            target += "?" + quote(parts.query, safe=_VISIBLE_ASCII)
        authorization = _authorization(parts)
    except ValueError:
        # urlsplit's messages quote the text, and with it the credentials.
        raise _invalid("its parts cannot be told apart") from None
    if parts.scheme not in schemes:
        raise _invalid(f"it does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    try:
        host, address = parse_host(_host_text(parts.netloc))
    except ValueError as error:
        raise _invalid(str(error)) from None
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    return CheckedUrl(parts.scheme, host, port, target, address, authorization)


def _invalid(detail: str) -> UrlRefused:
    return UrlRefused("url_invalid", f"the URL cannot be used: {detail}")


def _host_text(netloc: str) -> str:
    """Return the host with its brackets, which urlsplit's `hostname` takes off."""
    host_and_port = netloc.rpartition("@")[2]
    if not host_and_port.startswith("["):
        return host_and_port.partition(":")[0]
    # What stands between the bracket and the port stays on, for `parse_host` to refuse.
    host, bracket, rest = host_and_port.rpartition("]")
    return host + bracket + rest.partition(":")[0]


def _authorization(parts: SplitResult) -> str | None:
    """Return credentials in the URL as a header (RFC 7617); neither logs nor other servers ever see them."""
    userinfo, at, _ = parts.netloc.rpartition("@")
    if not at or not userinfo:
        return None
    name, _, password = userinfo.partition(":")
    pair = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
    return "Basic " + base64.b64encode(pair).decode("ascii")
