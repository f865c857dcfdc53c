"""What came of one request of a webhook, in words that lists and logs show and that overrides are matched against.

Decides which answers are good (2xx and nothing else), what each way to fail is called, and to which class of failures
it belongs. When it is tried again is decided in `schedule`. Pure.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from server.urls.errors import FetchError, UrlError, UrlRefused

GONE: Final = 410
"""The endpoint wants nothing more (RFC 9110 section 15.5.11)."""


class Failure(StrEnum):
    """Classes of failures, as the fragment `#rp=` names them."""

    CLIENT = "4xx"
    SERVER = "5xx"
    CONNECTING = "ct"
    """No connection came about."""
    READING = "rt"
    """There was one, but no whole answer came over it in time."""
    OTHER = "other"
    """Redirects and answers that are no HTTP; no fragment names them, `all` includes them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one request."""

    status: int | None = None
    """HTTP status; None: there was no answer."""
    error: str | None = None
    """A word for programs; None: delivered."""
    failure: Failure = Failure.OTHER
    """Of no meaning when delivered."""
    retry_after_s: float | None = None
    """How long the endpoint asks to be left alone."""

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants nothing more, now or later."""
        return self.status == GONE


_OF_FETCH_ERRORS: Final = {
    "dns_failed": ("dns_failed", Failure.CONNECTING),
    "connect_failed": ("connection_refused", Failure.CONNECTING),
    "tls_failed": ("tls_failed", Failure.CONNECTING),
    "connection_lost": ("connection_lost", Failure.READING),
    "too_large": ("too_large", Failure.OTHER),
    "protocol_error": ("protocol_error", Failure.OTHER),
}
_OF_TIMEOUTS: Final = {
    "connect": ("connect_timeout", Failure.CONNECTING),
    "read": ("read_timeout", Failure.READING),
    "total": ("total_timeout", Failure.READING),
}


def answered(status: int, retry_after_s: float | None = None) -> Outcome:
    """Return what an answer means."""
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        error, failure = "redirect", Failure.OTHER
    elif 400 <= status < 500:
        error, failure = "http_4xx", Failure.CLIENT
    elif 500 <= status < 600:
        error, failure = "http_5xx", Failure.SERVER
    else:
        error, failure = "protocol_error", Failure.OTHER
    return Outcome(status, error, failure, retry_after_s)


def failed(error: UrlError) -> Outcome:
    """Return what it means that no answer came."""
    if isinstance(error, UrlRefused):
        return Outcome(None, error.code, Failure.CONNECTING)
    if isinstance(error, FetchError) and error.code == "timeout":
        return Outcome(None, *_OF_TIMEOUTS[error.phase])
    return Outcome(None, *_OF_FETCH_ERRORS.get(error.code, (error.code, Failure.OTHER)))
