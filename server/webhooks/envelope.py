"""From a delivery to the request that is sent.

Decides method, URL, headers and body:

* `relay` by POST: the EVENT as JSON, and the hash of the body in the query;
* `form` by POST: the parameters of `forms` in the body;
* GET has no body, so the same parameters are in the query, behind the URL's own. A `relay` by GET has the EVENT's own
  fields there as well, so that neither kind of receiver misses what it looks for.

After a delivery of its lane was given up, an event carries `"gap": true` (`Gap=true` in forms): the receiver has not
been told everything. Pure.
"""

import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from server.conference.callbacks import Method
from server.urls.check import CheckedUrl
from server.webhooks.forms import fields, parameters
from server.webhooks.model import Delivery
from server.webhooks.sign import BODY_HASH, Signer, body_hash

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A request, ready to be sent. The client adds what frames it."""

    method: Method
    url: CheckedUrl
    headers: dict[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)


def request_of(delivery: Delivery, url: CheckedUrl, signer: Signer, now: float) -> WebhookRequest:
    """Return the request of a delivery to its checked `url`, signed at `now` (Unix seconds)."""
    event_id = str(delivery.event["id"])
    # Of two hashes a receiver would believe the first.
    url = url.without_query(BODY_HASH)
    if delivery.method == "GET":
        query = parameters(delivery)
        if delivery.encoding == "relay":
            query |= fields(delivery)
        url = url.with_query(urlencode(query))
        in_body: dict[str, str] | None = None if delivery.encoding == "relay" else {}
        return WebhookRequest("GET", url, signer.headers(event_id, now, url.url, b"", in_body))
    if delivery.encoding == "form":
        form = parameters(delivery)
        body = urlencode(form).encode()
        headers = signer.headers(event_id, now, url.url, body, form)
        return WebhookRequest("POST", url, {"Content-Type": FORM, **headers}, body)
    body = event_body(delivery)
    url = url.with_query(f"{BODY_HASH}={body_hash(body)}")
    headers = signer.headers(event_id, now, url.url, body, None)
    return WebhookRequest("POST", url, {"Content-Type": JSON, **headers}, body)


def event_body(delivery: Delivery) -> bytes:
    """Return the EVENT as it was logged, in JSON."""
    event = {**delivery.event, "gap": True} if delivery.gap else delivery.event
    return json.dumps(event, separators=(",", ":")).encode()
