"""The ways in which a user-supplied URL fails, each with a stable code.

`UrlRefused` is the caller's fault and known before a byte is sent; `FetchError` is the far end's or the network's.
No detail holds credentials, a query, or an address that a name was resolved to: details reach users.
"""

from typing import Literal

RefusalCode = Literal["url_invalid", "url_forbidden"]
FetchCode = Literal[
    "dns_failed",
    "connect_failed",
    "connection_lost",
    "tls_failed",
    "timeout",
    "too_large",
    "too_many_redirects",
    "protocol_error",
]

Phase = Literal["connect", "read", "total"]


class UrlError(Exception):
    """A URL could not be used; `code` is stable, `detail` a sentence for a person."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class UrlRefused(UrlError):  # noqa: N818 (a refusal is not a failure)
    """The URL is not one, or leads where we do not go; nothing was sent there."""

    def __init__(self, code: RefusalCode, detail: str) -> None:
        super().__init__(code, detail)


class FetchError(UrlError):
    """The URL is fine, but the exchange with its server did not come to an end within its limits."""

    def __init__(self, code: FetchCode, detail: str, *, phase: Phase = "total") -> None:
        super().__init__(code, detail)
        self.phase = phase
        """Of a `timeout`: which of the limits it was."""


class StaleConnection(FetchError):  # noqa: N818 (it is no failure yet)
    """The far end had closed a connection that was kept from an earlier request; it did nothing with this one."""

    def __init__(self) -> None:
        super().__init__("connection_lost", "the connection broke")
