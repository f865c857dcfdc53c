"""One attempt at a delivery: the request, and what came of it.

Decides how much of an answer is looked at: its status, Retry-After, and of the body just enough to use the connection
again. Redirects are not followed. What may be dialled is the guarded client's affair.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from server.conference.callbacks import Method
from server.urls.allowance import Allowance
from server.urls.caching import retry_after_s
from server.urls.check import CheckedUrl, check_url, strip_fragment
from server.urls.errors import UrlError
from server.urls.limits import WEBHOOK, Limits
from server.webhooks.envelope import request_of
from server.webhooks.fragments import NO_OVERRIDES, Overrides, split_overrides
from server.webhooks.model import Delivery
from server.webhooks.outcome import Outcome, answered, failed
from server.webhooks.sign import Signer
from server.webhooks.turns import Endpoint

log = structlog.get_logger(__name__)

_BODY_BYTES: Final = 4096
_BODY_S: Final = 1.0
"""For a body that nobody reads: a connection that takes longer is not worth keeping."""
_MOST_URLS: Final = 512


class Answer(Protocol):
    """What is looked at of an answer."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]:
        """By name, in whatever case."""

    async def read_start(self, max_bytes: int, within_s: float) -> bytes:
        """Return the start of the body; raises `UrlError` if it is late or broken."""


class Client(Protocol):
    """The guarded client, or one that tests script."""

    allowance: Allowance

    def fetch(
        self,
        method: Method,
        url: CheckedUrl,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        limits: Limits,
    ) -> AbstractAsyncContextManager[Answer]:
        """Request `url`; raises `UrlError`."""


@dataclass(frozen=True, slots=True)
class _Target:
    url: CheckedUrl
    overrides: Overrides


class Attempts:
    """Makes attempts. URLs that were looked at are remembered, as lanes come back to the same one all the time."""

    def __init__(self, client: Client, signer: Signer, now: Callable[[], float]) -> None:
        self._client = client
        self._signer = signer
        self._now = now
        self._targets: dict[str, _Target] = {}
        self.sent_bytes = 0
        """Of bodies."""

    async def make(self, delivery: Delivery) -> Outcome:
        """Send a delivery and return what came of it; nothing is raised but what ends the task."""
        try:
            return await self._send(delivery, self._target(delivery.url))
        except UrlError as error:
            return failed(error)
        except ValueError:
            return Outcome(error="url_invalid")
        except Exception:
            # One delivery that cannot be sent must not hold up what comes behind it for ever.
            log.exception("webhook could not be made", delivery_id=delivery.delivery_id)
            return Outcome(error="internal_error")

    def overrides(self, url: str) -> Overrides:
        """Return what the URL's fragment asks for; of a broken one, nothing."""
        try:
            return self._target(url).overrides
        except (UrlError, ValueError):
            return NO_OVERRIDES

    async def _send(self, delivery: Delivery, target: _Target) -> Outcome:
        request = request_of(delivery, target.url, self._signer, self._now())
        self.sent_bytes += len(request.content or b"")
        async with self._client.fetch(
            request.method,
            request.url,
            headers=request.headers,
            content=request.content,
            limits=target.overrides.limits(WEBHOOK),
        ) as answer:
            # The status is the answer; a body that is broken, late or endless changes nothing about it.
            with suppress(UrlError):
                await answer.read_start(_BODY_BYTES, _BODY_S)
            if 200 <= answer.status < 300:
                return answered(answer.status)
            return answered(answer.status, retry_after_s(answer.headers, self._now()))

    def _target(self, url: str) -> _Target:
        target = self._targets.get(url)
        if target is None:
            stripped, overrides = split_overrides(url)
            target = _Target(check_url(stripped, self._client.allowance), overrides)
            if len(self._targets) >= _MOST_URLS:
                del self._targets[next(iter(self._targets))]
            self._targets[url] = target
        return target


def endpoint_of(url: str) -> Endpoint:
    """Return whom a URL asks, whatever it is; what stands in the query does not make it another."""
    try:
        checked = check_url(strip_fragment(url)[0], Allowance(everything=True))
    except UrlError:
        return Endpoint(url, "")
    return Endpoint(f"{checked.host}:{checked.port}", checked.target.partition("?")[0])
