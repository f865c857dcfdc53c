"""What the API's lists hold, page by page. What is shown of it is decided in `ls`, `webhooks` and `follower`."""

from typing import Any, Final
from urllib.parse import quote, urlencode

from server.caller.client import ParleyClient
from server.caller.errors import RefusedError

PAGE: Final = 500
NOT_FOUND: Final = 404

Json = dict[str, Any]


def conferences(client: ParleyClient, limit: int | None = None, **wanted: str) -> list[Json]:
    """Return conferences of a `status` or `name`, the newest first, at most `limit` (None: all of them)."""
    found: list[Json] = []
    while limit is None or len(found) < limit:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        query = {**wanted, "limit": str(size)}
        if found:
            query["before"] = found[-1]["conference_id"]
        page: list[Json] = client.request("GET", f"/v1/conferences?{urlencode(query)}")["conferences"]
        found += page
        if len(page) < size:
            break
    return found


def conferences_in_progress(client: ParleyClient) -> list[Json]:
    """Return all conferences that wait or go on, the newest first."""
    found = conferences(client, status="init") + conferences(client, status="in-progress")
    # One that starts between the two requests is in both; as it is later is what holds.
    latest = {conference["conference_id"]: conference for conference in found}
    return sorted(latest.values(), key=lambda conference: str(conference["created_at"]), reverse=True)


def find(client: ParleyClient, reference: str) -> Json | None:
    """Return the conference of an id, or the one in progress under a name, which may hold a slash."""
    for conference in conferences(client, limit=1, name=reference):
        if conference["status"] != "completed":
            return conference
    try:
        return client.conference(reference)
    except RefusedError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def participants(client: ParleyClient, conference_id: str, *, left: bool = False) -> list[Json]:
    """Return the participants of a conference in the order of joining; with `left`, those who left too."""
    path = f"/v1/conferences/{quote(conference_id, safe='')}/participants"
    found: list[Json] = client.request("GET", path + ("?all=true" if left else ""))["participants"]
    return found


def deliveries(client: ParleyClient, limit: int, **wanted: str) -> list[Json]:
    """Return webhook deliveries of a `conference_id` or `state`, the newest first, at most `limit`."""
    found: list[Json] = []
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        query = {**wanted, "limit": str(size)}
        if found:
            query["before"] = str(found[-1]["delivery_id"])
        page: list[Json] = client.request("GET", f"/v1/webhook-deliveries?{urlencode(query)}")["deliveries"]
        found += page
        if len(page) < size:
            break
    return found


def recordings(client: ParleyClient, limit: int, **wanted: str) -> list[Json]:
    """Return recordings, of a `conference_id` or any, the newest first, at most `limit`."""
    found: list[Json] = []
    while len(found) < limit:
        size = min(PAGE, limit - len(found))
        query = {**wanted, "limit": str(size)}
        if found:
            query["before"] = found[-1]["recording_id"]
        page: list[Json] = client.request("GET", f"/v1/recordings?{urlencode(query)}")["recordings"]
        found += page
        if len(page) < size:
            break
    return found


def replay(client: ParleyClient, conference_id: str, body: Json) -> int:
    """Have a conference's events sent again; return how many deliveries that makes."""
    path = f"/v1/conferences/{quote(conference_id, safe='')}/events/replay"
    made: int = client.request("POST", path, body)["replayed"]
    return made


def events(client: ParleyClient, conference_id: str, after: int) -> list[Json]:
    """Return every EVENT of a conference after a sequence number."""
    found: list[Json] = []
    while page := client.events(conference_id, after):
        found += page
        after = page[-1]["sequence"]
    return found
