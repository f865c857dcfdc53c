"""What the prompts need of an HTTP client, and no more.

Decides the shape only. Which addresses may be asked, redirects, deadlines and sizes are the client's affair; how it
is done with the guarded client is in `guarded`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from server.prompts.steps import Method
from server.urls.caching import Validators


@dataclass(frozen=True, slots=True)
class RequestBody:
    """What is sent to who serves documents: a form, else JSON, else nothing. Never part of a GET."""

    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None


NO_BODY: Final = RequestBody()
NO_VALIDATORS: Final = Validators()


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """An answer, whatever its status, with its whole body."""

    status: int
    body: bytes = field(repr=False)
    content_type: str = ""
    """In lower case, without parameters; empty if there is none."""
    final_url: str = ""
    """Where it came from after redirects: what relative URLs in it are relative to."""
    validators: Validators = NO_VALIDATORS
    fresh_s: float | None = None
    """For how long it need not be asked for again; None: nothing was said."""
    storable: bool = True
    """False: it is not to be kept."""
    not_modified: bool = False
    """What the validators of the request stand for is still good; the body is empty."""


class Fetcher(Protocol):
    """Asks for URLs that users named."""

    async def fetch(
        self, url: str, *, method: Method, body: RequestBody, validators: Validators | None
    ) -> FetchedDocument:
        """Return the answer to a request, with `validators` to a conditional one.

        Raises PromptError: prompt_forbidden, prompt_fetch_failed, prompt_timeout or prompt_too_large.
        """
