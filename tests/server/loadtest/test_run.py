"""A load test of a real server, from the outside: what it prints, what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.caller.errors import CallerError
from server.loadtest import run
from server.loadtest.load import Load
from tests.support.live_server import LiveServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    live = LiveServer(tmp_path_factory.mktemp("server"), PARLEY_RTP_PORTS="27000-27399").start()
    yield live
    assert live.stop() == 0


def load_test(server: LiveServer, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "server", "load-test", "--server", server.url, *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    # Who was started in the background is deaf to Ctrl-C, and so are his children; these are not to be.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
        )
    finally:
        signal.signal(signal.SIGINT, before)


def present(server: LiveServer) -> int:
    return sum(one["size"] for one in server.get("/v1/conferences?status=in-progress")["conferences"])


def test_callers_of_several_conferences_are_measured_and_hung_up(server: LiveServer) -> None:
    limits = ["--min-delivered", "1", "--max-delay", "5000", "--max-late", "100", "--max-join", "30000"]
    test = load_test(server, "-n", "4", "--conferences", "2", "--codec", "pcmu", "--seconds", "2", "--json", *limits)
    out, err = test.communicate(timeout=60)
    figures = json.loads(out)
    assert {check["name"] for check in figures["checks"]} == {
        "joins", "delivered", "added delay", "mixer's ticks", "load generator"
    }, err  # fmt: skip
    assert figures["participants"] == 4 and figures["participants_unserved"] == 0
    assert figures["packets_expected"] >= 4 * 95
    assert figures["mixer"]["ticks"] > 100
    assert test.returncode == (0 if figures["passed"] else 1)
    assert present(server) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_hangs_up(server: LiveServer, number: signal.Signals) -> None:
    test = load_test(server, "-n", "3", "--codec", "pcmu", "--seconds", "60", "--name", f"broken-off-{number}")
    try:
        for _ in range(400):
            if present(server) == 3:
                break
            time.sleep(0.05)
        assert present(server) == 3
        test.send_signal(number)
        _, err = test.communicate(timeout=30)
    finally:
        test.kill()
        test.wait()
    assert test.returncode == 130
    assert "all calls were hung up" in err
    assert present(server) == 0


def test_without_a_server_one_is_told_how_to_get_one(server: LiveServer, tmp_path: Path) -> None:
    nowhere = LiveServer(tmp_path)
    test = load_test(nowhere, "-n", "2")
    _, err = test.communicate(timeout=30)
    nowhere.http.close()
    assert test.returncode == 1
    assert "python -m server --dev" in err


def test_an_absurd_load_is_refused_before_anyone_calls(server: LiveServer) -> None:
    test = load_test(server, "-n", "1000000")
    _, err = test.communicate(timeout=30)
    assert (test.returncode, "1000000 callers" in err) == (1, True)


def test_to_another_machine_fewer_can_call(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run.generator_ip("http://127.0.0.1:8080", Load("pcmu", 5000, 1)) is None
    monkeypatch.setattr(run, "local_ip", lambda url: "192.0.2.1")
    assert run.generator_ip("http://far.example.org", Load("pcmu", 500, 1)) == "192.0.2.1"
    with pytest.raises(CallerError, match="another machine"):
        run.generator_ip("http://far.example.org", Load("pcmu", 501, 1))
