"""Fetches prompts through the guarded client, the only way in which the server requests what a user named."""

import json
from typing import Final
from urllib.parse import urlencode

from server.prompts.errors import PromptError
from server.prompts.fetching import FetchedDocument, RequestBody
from server.prompts.steps import Method
from server.urls.caching import Freshness, Validators
from server.urls.client import GuardedClient
from server.urls.errors import FetchError, UrlError, UrlRefused
from server.urls.limits import PROMPT, Limits

_ACCEPT: Final = "audio/*, application/json, application/xml, text/xml, */*;q=0.1"
_CODES: Final = {"timeout": "prompt_timeout", "too_large": "prompt_too_large"}


class GuardedFetcher:
    """Is a `Fetcher`."""

    def __init__(self, client: GuardedClient, limits: Limits = PROMPT) -> None:
        self._client = client
        self._limits = limits

    async def fetch(
        self, url: str, *, method: Method, body: RequestBody, validators: Validators | None
    ) -> FetchedDocument:
        """Return the answer; the body of one that is no success is not read. Raises PromptError."""
        headers = {"Accept": _ACCEPT}
        if validators is not None:
            headers |= validators.conditions()
        content = _encoded(body, headers) if method == "POST" else None
        try:
            async with self._client.fetch(
                method, url, headers=headers, content=content, limits=self._limits
            ) as fetched:
                succeeded = 200 <= fetched.status < 300
                freshness = Freshness.of(fetched.headers)
                return FetchedDocument(
                    status=fetched.status,
                    body=await fetched.read() if succeeded else b"",
                    content_type=fetched.content_type,
                    final_url=fetched.final_url,
                    validators=Validators.of(fetched.headers, validators if fetched.not_modified else None),
                    fresh_s=freshness.fresh_s,
                    storable=freshness.storable,
                    not_modified=fetched.not_modified,
                )
        except UrlError as error:
            raise PromptError(_code(error), error.detail) from error


def _encoded(body: RequestBody, headers: dict[str, str]) -> bytes:
    """Return what is sent, and tell its type in `headers`."""
    if body.form is None and body.json is not None:
        headers["Content-Type"] = "application/json"
        return json.dumps(body.json).encode()
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    return urlencode(body.form or {}).encode()


def _code(error: UrlError) -> str:
    match error:
        case UrlRefused():
            return "prompt_forbidden"
        case FetchError():
            return _CODES.get(error.code, "prompt_fetch_failed")
    return "prompt_fetch_failed"
