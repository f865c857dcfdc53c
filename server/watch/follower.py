"""What has happened since one last asked: the events of one conference, or of all, found by asking again and again.

Each `poll` is a few requests; when to poll, and what to do while no server answers, is the caller's affair. A poll
that fails half-way loses nothing: what it did not return is returned by the next.
"""

from typing import Any, Final

from server.caller.client import ParleyClient
from server.watch import listing
from server.watch.listing import Json

NEWEST: Final = 100
"""Of conferences that began and ended between two polls, this many are still seen."""


class Follower:
    """Follows the conference of an id or a name, or, without either, all conferences.

    Of one conference its events are told from the first; of all, from the first poll on. A name may be taken again
    by another conference, which is followed too.
    """

    def __init__(self, client: ParleyClient, reference: str | None = None) -> None:
        self._client = client
        self._reference = reference
        self._seen: dict[str, int] = {}
        """Sequence number of the last event told, by conference id."""
        self._untold: list[Json] = []
        """New events of a poll that failed later on."""
        self._begun = False
        self._by_id = False
        self.finished = False
        """The conference followed by its id has ended and all was told."""

    def poll(self) -> list[Json]:
        """Return the events that are new, those of a conference in order. Raises `CallerError`."""
        found = self._find()
        if not self._begun:
            for conference in found:
                if not self._told_from_the_first(conference):
                    self._seen[conference["conference_id"]] = conference["last_sequence"]
        self._begun = True
        for conference in reversed(found):
            self._note(conference)
        current = {conference["conference_id"] for conference in found}
        for conference_id in [known for known in self._seen if known not in current]:
            self._untold += listing.events(self._client, conference_id, self._seen[conference_id])
            del self._seen[conference_id]
        new, self._untold = self._untold, []
        return new

    def _find(self) -> list[Json]:
        if self._reference is None:
            # Asked in this order, one that starts or ends meanwhile is in one list at least.
            listed = listing.conferences_in_progress(self._client) + listing.conferences(self._client, NEWEST)
            return list({conference["conference_id"]: conference for conference in listed}.values())
        if not self._by_id:
            named = listing.conferences(self._client, NEWEST, name=self._reference)
            if named:
                return named
        found = listing.find(self._client, self._reference)
        self._by_id = found is not None and found["conference_id"] == self._reference
        return [found] if found is not None else []

    def _told_from_the_first(self, conference: dict[str, Any]) -> bool:
        return self._by_id or (self._reference is not None and conference["status"] != "completed")

    def _note(self, conference: Json) -> None:
        conference_id = conference["conference_id"]
        after = self._seen.setdefault(conference_id, 0)
        if conference["last_sequence"] > after:
            events = listing.events(self._client, conference_id, after)
            self._untold += events
            self._seen[conference_id] = events[-1]["sequence"] if events else after
        self.finished = self._by_id and conference["status"] == "completed"
