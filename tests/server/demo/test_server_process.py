import sys
from pathlib import Path

import httpx2
import pytest

from server.demo.server_process import ServerProcess, ServerStartError


def pretend_server(monkeypatch: pytest.MonkeyPatch, folder: Path, code: str) -> None:
    """Let `python -m server --dev` run `code` instead."""
    script = folder / "python"
    script.write_text(f"#!{sys.executable}\n{code}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


SERVE = """
import http.server, os, signal, sys
assert sys.argv[1:] == ["-m", "server", "--dev"], sys.argv
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *args): pass
print(*sorted(name for name in os.environ if name.startswith("PARLEY_")), os.environ["PARLEY_RTP_PORTS"], flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PARLEY_PORT"])), Handler).serve_forever()
"""


def test_starts_with_settings_of_its_own_is_ready_and_stops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARLEY_API_KEYS", "the:user's")
    pretend_server(monkeypatch, tmp_path, SERVE)
    server = ServerProcess(tmp_path / "data", tmp_path / "logs" / "server.log")
    try:
        assert server.start() > 0
        assert httpx2.get(f"{server.url}/readyz", trust_env=False).status_code == 200
    finally:
        code = server.stop()
    assert code == 0
    assert server.stop() == 0
    *names, ports = server.log_tail().split()
    assert names == ["PARLEY_DATA_DIR", "PARLEY_PORT", "PARLEY_RTP_PORTS", "PARLEY_SIGNING_SECRET"]
    first, last = map(int, ports.split("-"))
    assert first % 2 == 0
    assert last - first == 19


def test_a_server_that_ends_says_so_and_its_words_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_server(monkeypatch, tmp_path, "print('one\\ntwo\\nthe port is taken'); raise SystemExit(2)")
    server = ServerProcess(tmp_path, tmp_path / "server.log")
    with pytest.raises(ServerStartError, match="ended with exit code 2"):
        server.start()
    assert server.log_tail(lines=2) == "two\nthe port is taken"
    assert server.stop() == 2


def test_one_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("server.demo.server_process._STOP_S", 0.2)
    pretend_server(monkeypatch, tmp_path, SERVE.replace("lambda *_: os._exit(0)", "signal.SIG_IGN"))
    server = ServerProcess(tmp_path, tmp_path / "server.log")
    server.start()
    assert server.stop() is None
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{server.url}/readyz", trust_env=False)


def test_one_that_is_never_ready_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("server.demo.server_process._READY_S", 0.3)
    pretend_server(monkeypatch, tmp_path, "import time; time.sleep(30)")
    server = ServerProcess(tmp_path, tmp_path / "server.log")
    with pytest.raises(ServerStartError, match=r"not ready within 0\.3 s"):
        server.start()
    assert server.stop() == -15


def test_stopping_what_never_started_is_fine(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, tmp_path / "server.log")
    assert server.stop() is None
    assert server.log_tail() == ""
