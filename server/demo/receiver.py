"""A receiver of webhooks for the demo: keeps what it is told, in order, and whether each signature was genuine."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST_BODY: Final = 64 * 1024


@dataclass(slots=True)
class Told:
    """What a receiver has been told so far."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    forged: int = 0
    """Requests whose signature was wrong."""

    def has(self, status: str) -> bool:
        """Whether an event of that status has come."""
        return any(event["params"]["status"] == status for event in list(self.events))


@contextlib.contextmanager
def receiver(secret: str) -> Iterator[Told]:
    """Listen on a free port of this machine while the context lasts."""
    hook = Webhook(base64.b64encode(secret.encode()).decode())
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY))
            with lock:
                try:
                    hook.verify(body.decode(), dict(self.headers.items()))
                    told.events.append(json.loads(body))
                except (WebhookVerificationError, ValueError):
                    told.forged += 1
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Told(f"http://127.0.0.1:{server.server_port}/events")
    thread = threading.Thread(target=server.serve_forever, name="demo-receiver", daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
