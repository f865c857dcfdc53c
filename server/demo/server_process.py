"""A real server as a child process, in dev mode, with ports and a data folder of its own.

Decides how it is started, waited for and stopped; its log goes to a file, which `log_tail` reads for a failure.
"""

import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx2

from server import clock

_READY_S: Final = 20.0
_STOP_S: Final = 10.0
_POLL_S: Final = 0.05
_RTP_PORTS: Final = 20


class ServerStartError(Exception):
    """The server did not start; the log says why."""


class ServerProcess:
    """One run of `python -m server --dev`.

    Args:
        data_dir: its data folder.
        log: the file its output goes to.
    """

    def __init__(self, data_dir: Path, log: Path) -> None:
        self._data_dir = data_dir
        self._log = log
        self._port = _free_tcp_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.signing_secret = secrets.token_hex(16)

    def start(self) -> float:
        """Start it and wait until it is ready; return how long that took, in seconds.

        Raises:
            ServerStartError: it ended, or was not ready in time.
        """
        begun_s = clock.monotonic()
        first = _free_udp_ports(_RTP_PORTS)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        environment |= {
            "PARLEY_PORT": str(self._port),
            "PARLEY_DATA_DIR": str(self._data_dir),
            "PARLEY_SIGNING_SECRET": self.signing_secret,
            "PARLEY_RTP_PORTS": f"{first}-{first + _RTP_PORTS - 1}",
        }
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server", "--dev"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for the demo, which then stops the server in order
            )
        while not self._ready():
            if self._process.poll() is not None:
                raise ServerStartError(f"the server ended with exit code {self._process.returncode}")
            if clock.monotonic() - begun_s > _READY_S:
                raise ServerStartError(f"the server was not ready within {_READY_S:g} s")
            _wait(self._process, _POLL_S)
        return clock.monotonic() - begun_s

    def stop(self) -> int | None:
        """Send SIGTERM and wait; return the exit code, None if it had to be killed. Twice does no harm."""
        process = self._process
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of its output."""
        try:
            text = self._log.read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=1.0, trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait a moment, or until the process ends."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _free_udp_ports(count: int) -> int:
    """First of `count` ports in a row that nobody has bound now."""
    for _ in range(100):
        first = random.randrange(10_000, 32_000, 2)  # below the kernel's own choices, even as RTP wants it
        probes: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                probes.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probes[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise ServerStartError(f"there are no {count} free UDP ports in a row")
