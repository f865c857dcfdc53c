"""A receiver of Parley's webhooks: checks each signature, prints each event once, says so when something is missing.

    PARLEY_SIGNING_SECRET=... python examples/webhook_receiver.py [PORT]

Without the variable it reads the secret of a server that was started in this folder. It needs Python only.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

DEFAULT_PORT: Final = 9000
LARGEST_BODY: Final = 64 * 1024


def secret() -> bytes:
    """Return the secret that the server signs with."""
    given = os.environ.get("PARLEY_SIGNING_SECRET")
    if given is None:
        given = Path("data/signing-secret").read_text().strip()
    return given.encode()


def genuine(key: bytes, headers: Message, body: bytes) -> bool:
    """Check the Standard Webhooks signature: an HMAC over id, time and body."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(expected, given) for given in (headers["webhook-signature"] or "").split())


def described(headers: Message, target: str, body: bytes) -> str:
    """Return a line about an event, however it was encoded."""
    if headers.get_content_type() == "application/json":
        event: dict[str, Any] = json.loads(body)
        params = event["params"]
        about, gap = params.get("label") or params.get("call_id") or "", event.get("gap", False)
        line = f"{event['sequence']:>4} {params['name']}: {params['status']} {about}"
    else:
        form = dict(parse_qsl(body.decode() or urlsplit(target).query))
        about, gap = form.get("ParticipantLabel") or form.get("CallSid") or "", "Gap" in form
        line = f"{form['SequenceNumber']:>4} {form['FriendlyName']}: {form['StatusCallbackEvent']} {about}"
    return line + ("   (something before it is missing)" if gap else "")


class Receiver(BaseHTTPRequestHandler):
    """Takes one request after the other on a connection."""

    protocol_version = "HTTP/1.1"
    key = b""
    seen: Final[set[str]] = set()

    def do_POST(self) -> None:
        """Take an event."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > LARGEST_BODY:
            self._answer(413)
            return
        body = self.rfile.read(length)
        if not genuine(self.key, self.headers, body):
            print("     refused: the signature is wrong", flush=True)
            self._answer(403)
            return
        event_id = self.headers["webhook-id"]
        if event_id not in self.seen:
            # A real receiver stores the event and its id in one transaction before it answers.
            self.seen.add(event_id)
            print(described(self.headers, self.path, body), flush=True)
        self._answer(204)

    def do_GET(self) -> None:
        """Take an event whose parameters are in the query."""
        self.do_POST()

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests that went well."""


def main() -> None:
    """Serve until Ctrl-C."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PORT
    Receiver.key = secret()
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(f"Waiting for events on http://127.0.0.1:{server.server_port}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
