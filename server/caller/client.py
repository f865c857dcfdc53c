"""The caller's side of the HTTP API: joins, leaves, asks how it went.

Blocking, on httpx2. Every failure is a `CallerError` that says what the server said, or how to get a server.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

import httpx2

from server.caller.errors import CallerError, NoAnswerError, RefusedError

DEFAULT_URL: Final = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Joined:
    """A participant, as its join was answered."""

    call_id: str
    conference_id: str
    answer: dict[str, Any]
    """The ANSWER object of the media."""


class ParleyClient:
    """A connection to one server.

    Args:
        url: such as `http://127.0.0.1:8080`.
        key: `id:secret`; none is needed in dev mode.
        timeout_s: how long to wait for an answer.

    Raises:
        CallerError: the URL or the key is not one.
    """

    def __init__(self, url: str = DEFAULT_URL, key: str | None = None, *, timeout_s: float = 10.0) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise CallerError(f"{url!r} is not the address of a server: write it like {DEFAULT_URL}.")
        if key is not None and ":" not in key:
            raise CallerError("An API key is written id:secret, with a colon between the two.")
        self.url = url.rstrip("/")
        self._timeout_s = timeout_s
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # trust_env: a proxy that is set for the internet must not swallow requests to this machine.
        self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def join(self, name: str, media: dict[str, Any], **options: Any) -> Joined:
        """Join conference `name`; `options` are JOIN parameters, those that are None are left out."""
        parameters = {key: value for key, value in options.items() if value is not None}
        if "/" in name:
            return self._join_by_two(name, media, parameters)
        path = f"/v1/conferences/{quote(name, safe='')}/participants"
        body = self.request("POST", path, {"media": media, **parameters})
        return Joined(body["call_id"], body["conference_id"], body["media"])

    def hang_up(self, call_id: str) -> None:
        """End a call, which leaves its conference; it is no error if it has ended already."""
        self.request("DELETE", f"/v1/calls/{call_id}", gone_is_fine=True)

    def conference(self, conference: str) -> dict[str, Any]:
        """The CONFERENCE of an id or a running conference's name."""
        return self.request("GET", f"/v1/conferences/{quote(conference, safe='')}")

    def stats(self, conference_id: str) -> dict[str, Any]:
        """Figures of a conference's mixer and calls."""
        return self.request("GET", f"/v1/conferences/{conference_id}/stats")

    def events(self, conference_id: str, after: int = 0) -> list[dict[str, Any]]:
        """The logged events of a conference, also when it has ended."""
        body = self.request("GET", f"/v1/conferences/{conference_id}/events?after={after}")
        events: list[dict[str, Any]] = body["events"]
        return events

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, gone_is_fine: bool = False
    ) -> dict[str, Any]:
        """Send one request; return the JSON object of its answer, {} if it has none.

        Raises:
            NoAnswerError: there is no server, or it is too slow.
            RefusedError: an answer of 400 and above.
            CallerError: what answers is no Parley server.
        """
        with self._answering():
            response = self._http.request(method, path, json=body)
        if response.status_code == 404 and gone_is_fine:
            return {}
        if response.status_code >= 400:
            raise RefusedError(_refusal(response), response.status_code)
        if response.status_code == 204 or not response.content:
            return {}
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CallerError(f"What answers at {self.url} is not a Parley server: {path} gave no JSON.")
        return answer

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """Open what is no JSON, such as audio; what is yielded gives its bytes, block by block.

        Raises:
            NoAnswerError: as `request`, also while it is read.
            RefusedError: an answer of 400 and above.
        """
        with self._answering(), self._http.stream("GET", path) as response:
            if response.status_code >= 400:
                response.read()
                raise RefusedError(_refusal(response), response.status_code)
            yield response.iter_bytes()

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str], silence_s: float) -> Iterator[httpx2.EventSource]:
        """Open server-sent events; iterating what is yielded waits for each, and ends when the server does.

        Raises:
            NoAnswerError: as `request`, also while they are read: the server is gone, or silent for too long.
            RefusedError: an answer of 400 and above.
            CallerError: what answers is no Parley server.
        """
        patience = httpx2.Timeout(self._timeout_s, read=silence_s)
        with self._answering(), self._http.sse(path, headers=headers, timeout=patience) as source:
            if source.response.status_code >= 400:
                source.response.read()
                raise RefusedError(_refusal(source.response), source.response.status_code)
            yield source

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Turn what keeps a server from answering into words."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise NoAnswerError(f"The server at {self.url} does not answer in time.") from error
        except httpx2.SSEError as error:
            raise CallerError(f"What answers at {self.url} is not a Parley server: {error}") from error
        except httpx2.TransportError as error:
            raise NoAnswerError(
                f"No server answers at {self.url} ({error}). Start one with: python -m server --dev"
            ) from error

    def _join_by_two(self, name: str, media: dict[str, Any], parameters: dict[str, Any]) -> Joined:
        """Join a conference whose name cannot stand in a path: first the call, then the join."""
        of_call: dict[str, Any] = {}
        for field in ("label", "metadata"):
            if field in parameters:
                of_call[field] = parameters.pop(field)
        call = self.request("POST", "/v1/calls", {"media": media, **of_call})
        call_id: str = call["call_id"]
        try:
            path = f"/v1/calls/{call_id}/join_conference"
            body = self.request("POST", path, {"name": name, **parameters})
        except CallerError:
            self.hang_up(call_id)
            raise
        return Joined(call_id, body["conference_id"], call["media"])


def local_ip(url: str) -> str:
    """This machine's IPv4 address that faces the server at `url`; sends nothing.

    Raises:
        CallerError: the server's name cannot be resolved or is out of reach.
    """
    host = urlsplit(url).hostname or ""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError as error:
            raise CallerError(f"There is no way to {host}: {error.strerror or error}.") from error
        ip: str = probe.getsockname()[0]
        return ip


def _refusal(response: httpx2.Response) -> str:
    """The server's own words (RFC 9457), with a hint where the next step is not plain."""
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return f"The server answered {response.status_code} {response.reason_phrase}."
    words = problem.get("detail") or problem.get("title") or response.reason_phrase
    text = f"The server refused ({problem.get('code', response.status_code)}): {words}"
    if response.status_code == 401:
        text += "\nGive an API key with --key id:secret or PARLEY_API_KEY."
    if response.status_code == 503 and "retry-after" in response.headers:
        text += f"\nTry again in {response.headers['retry-after']} s."
    return text
