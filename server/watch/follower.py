"""What happens on a server, as it happens: the events of one conference, of one name, or all.

One `follow` is one connection. It may break at any moment; the next one goes on after the last event that was told, so
that nothing is missed or told twice. When to try again is the caller's affair.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx2

from server.caller.client import ParleyClient
from server.caller.errors import NoAnswerError
from server.watch import listing
from server.watch.listing import Json

SILENCE_S: Final = 45.0
"""A server that has had nothing to say for so long, not even the comment of every 15 s, is gone."""
LAST_ID: Final = "Last-Event-ID"
_OVER: Final = "conference-end"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told."""

    event: Callable[[Json], object]
    """Called with each EVENT, those of a conference in order."""
    connected: Callable[[], object]
    """Called when the server has answered."""
    missed: Callable[[], object]
    """Called when events are gone that should have been told."""


class Follower:
    """Follows the conference of an id or a name, or, without either, all conferences.

    Of one conference its events are told from the first; of all, from the first connection on. A name may be taken
    again by another conference, which is followed too.
    """

    def __init__(self, client: ParleyClient, reference: str | None = None) -> None:
        self._client = client
        self._reference = reference
        self._last_id: str | None = None
        self._told: dict[str, int] = {}
        """Sequence number of the last event told, by id of the conferences that go on."""
        self._by_id = False
        self._finished = False

    def follow(self, audience: Audience) -> None:
        """Tell what happens until the conference followed by its id has ended and all was told.

        Raises `NoAnswerError` when the connection ends before that; other `CallerError`s as the client does.
        """
        wanted = self._wanted()
        headers = {} if self._last_id is None else {LAST_ID: self._last_id}
        with self._client.stream(f"/v1/events?{urlencode(wanted)}", headers, SILENCE_S) as source:
            audience.connected()
            if self._last_id is None:
                self._last_id = source.response.headers.get(LAST_ID)
                self._tell_earlier(audience)
            if not self._finished:
                self._tell_live(source, audience)
        if not self._finished:
            raise NoAnswerError(f"The server at {self._client.url} has ended the connection.")

    def _wanted(self) -> dict[str, str]:
        """Return the query for what is followed. A reference is taken as a name until it turns out to be an id."""
        if self._reference is None:
            return {}
        if not self._by_id:
            found = listing.find(self._client, self._reference)
            self._by_id = found is not None and found["conference_id"] == self._reference
        return {"conference_id" if self._by_id else "name": self._reference}

    def _tell_earlier(self, audience: Audience) -> None:
        """Tell what happened before the stream began; what is in both is told once."""
        conference = None if self._reference is None else listing.find(self._client, self._reference)
        if conference is None:
            return
        for event in listing.events(self._client, conference["conference_id"], 0):
            self._tell(event, audience)
        self._finished = self._by_id and conference["status"] == "completed"

    def _tell_live(self, source: httpx2.EventSource, audience: Audience) -> None:
        for sent in source:
            if sent.event == "gap":
                audience.missed()
            elif sent.data:
                event = json.loads(sent.data)
                self._tell(event, audience)
                self._last_id = sent.id
                if self._by_id and event["params"]["status"] == _OVER:
                    self._finished = True
                    return

    def _tell(self, event: Json, audience: Audience) -> None:
        conference_id, sequence = event["params"]["conference_id"], event["sequence"]
        if sequence <= self._told.get(conference_id, 0):
            return
        audience.event(event)
        if event["params"]["status"] == _OVER:
            self._told.pop(conference_id, None)
        else:
            self._told[conference_id] = sequence
