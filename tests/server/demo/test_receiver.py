import http.client
import json
from urllib.parse import urlsplit

from server import clock
from server.demo.receiver import receiver
from server.webhooks.sign import Signer

SECRET = "a-secret-of-the-demo"


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=10)
    try:
        connection.request("POST", parts.path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_genuine_events_are_kept_in_order_and_others_counted() -> None:
    now = clock.now()
    ids = [f"e-{n}" for n in range(3)]
    events = [{"id": event_id, "params": {"status": "conference-start"}} for event_id in ids]
    with receiver(SECRET) as told:
        for event_id, event in zip(ids, events, strict=True):
            body = json.dumps(event).encode()
            assert post(told.url, body, Signer(SECRET).headers(event_id, now, told.url, body, None)) == 204
        body = json.dumps(events[0]).encode()
        assert post(told.url, body, Signer("another secret").headers("e-0", now, told.url, body, None)) == 204
        assert post(told.url, b"", {}) == 204
    assert told.events == events
    assert told.forged == 2
    assert told.has("conference-start")
    assert not told.has("conference-end")
