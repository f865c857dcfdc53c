"""The server under test: the real one, started as users start it, spoken to as users speak to it."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bench import pinned
from bench.machine import descendants
from server.caller.client import ParleyClient
from server.caller.errors import CallerError

READY_WITHIN_S: Final = 30.0
SETTLE_S: Final = 4.0
"""A server that has just started composes its music in the background, on the core that is to be measured."""
PUBLISHED_WITHIN_S: Final = 300.0
"""Also on a machine that has much else to do: a recorder takes only what is left."""
_STOP_WITHIN_S: Final = (3.0, 20.0)
_RTP_PORTS: Final = "30000-31999"


class ServerError(Exception):
    """The server did not start, or answered what it should not; the message says what and shows its log."""


class Server:
    """`python -m server --dev` with a data folder, a port and media ports of its own, for as long as the context."""

    def __init__(self, folder: Path, core: int | None) -> None:
        self._log = folder / "server.log"
        self._core = core
        port = _free_port()
        self._environment = pinned.clean_environment(
            PARLEY_PORT=str(port),
            PARLEY_DATA_DIR=str(folder / "data"),
            PARLEY_RTP_PORTS=_RTP_PORTS,
            PARLEY_MEDIA_IP="127.0.0.1",
            PARLEY_LOG_LEVEL="warning",
        )
        self._settings: Mapping[str, str] = {}
        self._process = self._start()
        self._connection = ExitStack()
        self.client = self._connection.enter_context(ParleyClient(f"http://127.0.0.1:{port}", timeout_s=60))

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "server", "--dev"]
        return pinned.start(command, self._log, self._core, self._environment | dict(self._settings))

    def __enter__(self) -> Self:
        try:
            self._wait_ready()
            time.sleep(SETTLE_S)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _wait_ready(self) -> None:
        deadline = time.perf_counter() + READY_WITHIN_S
        while time.perf_counter() < deadline:
            if self._process.poll() is not None:
                raise ServerError(
                    f"the server ended with {self._process.returncode} at its start{pinned.log_tail(self._log)}"
                )
            try:
                self.client.request("GET", "/readyz")
            except CallerError:
                time.sleep(0.05)
            else:
                return
        raise ServerError(f"the server was not ready after {READY_WITHIN_S:.0f} s{pinned.log_tail(self._log)}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def below(self) -> list[int]:
        """Every process the server has: what mixers are forked from, and mixers."""
        return list(descendants(self.pid))

    def mixers(self) -> list[int]:
        """Mixer processes: forked from a child of the server."""
        return [pid for pid, parent in descendants(self.pid).items() if parent != self.pid]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self.client.request(method, path, body)
        except CallerError as error:
            raise ServerError(f"{method} {path}: {error}{pinned.log_tail(self._log)}") from error

    def join(self, name: str, ip: str, port: int, codec: str, **options: Any) -> tuple[str, tuple[str, int]]:
        """Join a participant in one request; its conference's id and where its media goes."""
        joined = self.client.join(name, {"rtp": {"ip": ip, "port": port, "codec": codec}}, **options)
        rtp = joined.answer["rtp"]
        return joined.conference_id, (rtp["ip"], rtp["port"])

    def participants(self, conference_id: str) -> list[str]:
        """Call ids of those present, in the order they joined."""
        answer = self._ask("GET", f"/v1/conferences/{conference_id}/participants")
        return [participant["call_id"] for participant in answer["participants"]]

    def change(self, conference_id: str, call_id: str, **fields: Any) -> None:
        """Change how a participant takes part."""
        self._ask("PATCH", f"/v1/conferences/{conference_id}/participants/{call_id}", fields)

    def call_and_hang_up(self, ip: str, port: int) -> None:
        """A call that joins nothing, for a moment: after it the mixer for such calls is there, and idle."""
        answer = self._ask("POST", "/v1/calls", {"media": {"rtp": {"ip": ip, "port": port, "codec": "pcmu"}}})
        self._ask("DELETE", f"/v1/calls/{answer['call_id']}")

    def stats(self, conference_id: str) -> dict[str, Any]:
        return self._ask("GET", f"/v1/conferences/{conference_id}/stats")

    def record(self, conference_id: str) -> str:
        """Record it with all tracks from now on; the recording's id."""
        answer = self._ask("POST", f"/v1/conferences/{conference_id}/recordings", {"tracks": True})
        return str(answer["recording_id"])

    def pause(self, recording_id: str, paused: bool) -> None:
        """Let a recording pause, or go on."""
        self._ask("PATCH", f"/v1/recordings/{recording_id}", {"status": "paused" if paused else "in-progress"})

    def published(self, recording_id: str) -> dict[str, Any]:
        """Wait until a recording is published; its manifest."""
        deadline = time.perf_counter() + PUBLISHED_WITHIN_S
        path = f"/v1/recordings/{recording_id}"
        while self._ask("GET", path)["status"] in ("in-progress", "processing"):
            if time.perf_counter() > deadline:
                raise ServerError(f"the recording was not published in {PUBLISHED_WITHIN_S:.0f} s")
            time.sleep(0.2)
        return self._ask("GET", f"{path}/manifest")

    def end(self, conference_id: str) -> None:
        self._ask("POST", f"/v1/conferences/{conference_id}/end")

    def use(self, settings: Mapping[str, str]) -> None:
        """Go on with these settings, and no others, beside its own; if it has others now, it is started anew."""
        if settings != self._settings:
            self._settings = settings
            self.restart()

    def restart(self) -> None:
        """Begin anew, with nobody in it: what one row has left must not be measured with the next."""
        self._stop()
        self._process = self._start()
        self._wait_ready()
        time.sleep(SETTLE_S)

    def close(self) -> None:
        self._connection.close()
        self._stop()

    def _stop(self) -> None:
        """Stop it as an operator does, the second time at once; kill it only if neither helps."""
        for patience_s in _STOP_WITHIN_S:
            if self._process.poll() is not None:
                return
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
