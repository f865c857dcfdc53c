"""A receiver of callbacks on loopback that outlives the servers that call it."""

import http.server
import json
import threading
from types import TracebackType
from typing import Any, Self


class Hooks:
    """Takes every callback and keeps what it was told, from where the context begins until it ends."""

    def __init__(self) -> None:
        told = self.told = list[dict[str, Any]]()
        """The bodies, in the order they came; one may come twice if a server died over it."""

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                told.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._web.server_address[1]}/told"

    def __enter__(self) -> Self:
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._web.shutdown()
        self._web.server_close()

    def about(self, conference_id: str) -> list[dict[str, Any]]:
        """The params of what was told of a conference, each event once."""
        once = {body["id"]: body["params"] for body in list(self.told)}
        return [params for params in once.values() if params["conference_id"] == conference_id]
