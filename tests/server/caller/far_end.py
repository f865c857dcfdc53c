"""A stand-in for the server: answers the few requests a caller makes, with another `RtpCaller` as its media.

It keeps to the documented API, so that the caller is tested as its user sees it, with no mixer in between.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from server.caller.session import RtpCaller
from tests.support.tones import tone

TONE_HZ = 770.0

Body = dict[str, Any]


class FarEnd:
    """What the server was asked, and the other side of the call."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, Body]] = []
        self.authorization: list[str | None] = []
        self.refusals: dict[tuple[str, str], tuple[int, Body | str]] = {}
        self.hang_up_after_join = False
        self.joined = threading.Event()
        self._rtp: RtpCaller | None = None

    @property
    def rtp(self) -> RtpCaller:
        """The other side of the call, after a join."""
        assert self._rtp is not None, "nobody has joined"
        return self._rtp

    def answer(self, method: str, path: str, body: Body) -> tuple[int, Body | str | None]:
        """What to answer to a request."""
        self.requests.append((method, path, body))
        refusal = self.refusals.get((method, path))
        if refusal is not None:
            return refusal
        if method == "DELETE":
            return 204, None
        if method == "GET":
            return 200, {"events": [{"sequence": 1}], "path": path}
        if path.endswith("/join_conference"):
            return 200, {"call_id": "c-1", "conference_id": "conf-1"}
        media = self._media(body["media"]["rtp"])
        if path == "/v1/calls":
            return 201, {"call_id": "c-1", "media": media}
        return 201, {"call_id": "c-1", "conference_id": "conf-1", "media": media}

    def close(self) -> None:
        """End the call's other side."""
        if self._rtp is not None:
            self._rtp.close()

    def _media(self, rtp: Body) -> Body:
        self._rtp = RtpCaller(
            rtp["codec"], sample_rate=rtp.get("sample_rate"), dtmf_payload_type=rtp.get("dtmf_payload_type")
        )
        self._rtp.start({"rtp": rtp})
        self._rtp.play(tone(TONE_HZ, 30, 8000, 6000), 8000)
        if self.hang_up_after_join:
            threading.Timer(0.3, self._rtp.close).start()
        self.joined.set()
        ip, port = self._rtp.address
        answer = {"ip": ip, "port": port, "codec": rtp["codec"], "ptime": 20, "ssrc": 1}
        return {"rtp": answer | {"payload_type": self._rtp.codec.payload_type}}


@contextmanager
def far_end() -> Iterator[FarEnd]:
    """Run the stand-in on a free port of loopback."""
    state = FarEnd()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else {}
            state.authorization.append(self.headers.get("authorization"))
            status, answer = state.answer(self.command, unquote(self.path), body)
            text = "" if answer is None else (answer if isinstance(answer, str) else json.dumps(answer))
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            if status == 503:
                self.send_header("retry-after", "5")
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - named by http.server

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the test's output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
        state.close()
