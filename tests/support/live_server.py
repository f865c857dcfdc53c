"""A real server as a child process for system tests: dev mode, its own ports, its own data folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from tests.support.processes import children


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port nobody has bound now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LiveServer:
    """One run of `python -m server --dev`, with settings in the environment.

    `within`: a command that becomes the one which is appended to it, after it has changed what the server sees.
    """

    def __init__(self, folder: Path, *, within: Sequence[str] = (), **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self.data = folder / "data"
        self._within = within
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        self._environment = clean | {
            "PARLEY_PORT": str(self.port),
            "PARLEY_DATA_DIR": str(self.data),
            "PARLEY_RTP_PORTS": "24000-25999",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.http = httpx2.Client(base_url=self.url, timeout=20, trust_env=False)

    def start(self, patience_s: float = 30) -> "LiveServer":
        """Start and wait until `/readyz` says so."""
        with self.log.open("ab") as log:
            command = [*self._within, sys.executable, "-m", "server", "--dev"]
            self.process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        for _ in range(int(patience_s / 0.05)):
            assert self.process.poll() is None, self.log.read_text()
            try:
                if self.http.get("/readyz").status_code == 200:
                    return self
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def stop(self, patience_s: float = 20) -> int:
        """SIGTERM twice: end everything; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience_s)
        finally:
            self.process.kill()
            self.http.close()

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return self.http.post(path, json=body)

    def get(self, path: str) -> Any:
        response = self.http.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def mixers(self) -> set[int]:
        """Pids of all mixer processes: the children of the server's child."""
        return {mixer for zygote in children(self.pid) for mixer in children(zygote)}
