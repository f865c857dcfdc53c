"""Running the server: its socket, its data folder, and signals, with real processes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.main import Signals, listen, only_user_of
from server.settings import SettingsError
from tests.support.processes import children, wait_until_gone

BODY = {"media": {"rtp": {"codec": "pcmu", "ip": "127.0.0.1", "port": 40000}}}


class Running:
    """A server process of a test."""

    def __init__(self, data_dir: Path, *flags: str, **environment: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server", "--dev", "--port", "0", "--log-format", "json",
             "--data-dir", str(data_dir), "--rtp-ports", "31500-31599", *flags],
            env=env | environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.url = self.line("ready")["url"]

    def line(self, event: str) -> dict[str, Any]:
        """Return the next log line of an event."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line: dict[str, Any] = json.loads(text)
            if line["event"] == event:
                return line
        raise AssertionError(f"no line {event!r} before the end")

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.loads(response.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        assert self.process.stderr is not None
        self.process.stderr.read()
        return self.process.wait(20)

    def clean_up(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Running(tmp_path)
    yield server
    server.clean_up()


def test_sigterm_drains_and_a_second_one_ends_everything(running: Running, tmp_path: Path) -> None:
    status, joined = running.request("POST", "/v1/conferences/x/participants", BODY)
    assert status == 201
    started = children(running.process.pid)
    assert started
    running.signal(signal.SIGTERM)
    running.line("draining")
    assert running.request("GET", "/readyz")[0] == 503
    assert running.request("GET", "/healthz")[0] == 200
    assert running.request("POST", "/v1/calls", BODY)[1]["code"] == "draining"
    status, _ = running.request("POST", "/v1/conferences/x/participants", {"media": {"rtp": {"codec": "opus"}}})
    assert status == 201
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0
    wait_until_gone(list(started))

    again = Running(tmp_path)
    try:
        events = again.request("GET", f"/v1/conferences/{joined['conference_id']}/events")[1]["events"]
        assert events[-1]["params"]["reason_ended"] == "server-stopped"
        # Nothing is left to wait for, so one signal is enough.
        again.signal(signal.SIGTERM)
        assert again.exit_code() == 0
    finally:
        again.clean_up()


def test_a_drained_server_stops_when_its_last_conference_ends(running: Running) -> None:
    running.request("POST", "/v1/conferences/x/participants", BODY)
    running.signal(signal.SIGTERM)
    running.line("draining")
    assert running.request("POST", "/v1/conferences/x/end")[0] == 200
    assert running.exit_code() == 0


def test_ctrl_c_stops_at_once(running: Running) -> None:
    running.request("POST", "/v1/conferences/x/participants", BODY)
    running.signal(signal.SIGINT)
    assert running.exit_code() == 0


def test_signals_that_go_on_coming_do_not_spoil_the_exit(running: Running) -> None:
    running.request("POST", "/v1/conferences/x/participants", BODY)
    while running.process.poll() is None:
        running.signal(signal.SIGTERM)
        time.sleep(0.005)
    assert running.process.returncode == 0


def test_a_port_in_use_is_refused_by_the_settings_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match=r"PARLEY_PORT.*in use"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_an_address_of_another_machine_is_refused_by_the_settings_name() -> None:
    with pytest.raises(SettingsError, match="PARLEY_HOST"):
        listen("203.0.113.7", 0)


def test_a_free_port_is_listened_on() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        pass


def test_a_data_folder_has_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with only_user_of(folder), pytest.raises(SettingsError, match=r"PARLEY_DATA_DIR.*in use"), only_user_of(folder):
        pass
    with only_user_of(folder):
        pass


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="PARLEY_DATA_DIR"), only_user_of(tmp_path / "file" / "data"):
        pass


async def test_signals_mean_drain_then_now() -> None:
    signals = Signals()
    with signals.handled():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(signals.drain.wait(), 5)
        assert not signals.now.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(signals.now.wait(), 5)
    interrupted = Signals()
    interrupted.interrupt()
    assert interrupted.drain.is_set() and interrupted.now.is_set()
