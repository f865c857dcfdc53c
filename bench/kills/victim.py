"""The server that is killed: always on the same port and data folder, each life known by a mark in its environment."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import httpx2

from bench import pinned

_MARK: Final = "KILLS_LIFE"
"""Not a setting of the server; all processes of a life inherit it, whoever their parent is by now."""
_RTP_PORTS: Final = "26000-29999"
READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 20.0


class VictimError(Exception):
    """The server did not start or stop as it should; the message has the end of its log."""


class Victim:
    """`python -m server --dev` on a data folder, started as often as needed."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._log = folder / "server.log"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = pinned.clean_environment(
            PARLEY_PORT=str(self.port),
            PARLEY_DATA_DIR=str(folder / "data"),
            PARLEY_RTP_PORTS=_RTP_PORTS,
            PARLEY_LOG_LEVEL="warning",
            PARLEY_LOG_FORMAT="json",
            **settings,
        )
        self._http = httpx2.Client(base_url=self.url, timeout=10, trust_env=False)
        self._process: subprocess.Popen[bytes] | None = None
        self.lives = 0

    def start(self) -> None:
        """Begin a life; it is not waited for."""
        self.lives += 1
        environment = self._environment | {_MARK: self._mark(self.lives)}
        self._process = pinned.start([sys.executable, "-m", "server", "--dev"], self._log, environment=environment)

    def ready(self) -> bool:
        """Whether it takes requests now."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise VictimError(f"the server ended with {self._process.returncode}{pinned.log_tail(self._log)}")
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def wait_ready(self) -> None:
        deadline = time.perf_counter() + READY_WITHIN_S
        while not self.ready():
            if time.perf_counter() > deadline:
                raise VictimError(f"the server was not ready after {READY_WITHIN_S:.0f} s{pinned.log_tail(self._log)}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End the control process, and only it, in the middle of whatever it does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """End it as an operator does who is in a hurry; return the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(STOP_WITHIN_S)
        finally:
            self._process.kill()
            self._process.wait()
            self._http.close()

    def left_of(self, life: int) -> list[int]:
        """Processes of a life that run now: mixers, what they are forked from, and the control process."""
        mark = f"{_MARK}={self._mark(life)}".encode()
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if mark in _environment_of(pid)]

    def _mark(self, life: int) -> str:
        return f"{self._folder}:{life}"


def _environment_of(pid: int) -> list[bytes]:
    """What it was started with; nothing if it is gone, or waits to be reaped, or is somebody else's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
