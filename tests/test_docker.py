"""The container's files agree with each other and with the settings; the health check knows health."""

import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.settings import Settings

DOCKER = Path(__file__).parent.parent / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE = (DOCKER / "compose.yml").read_text()
ENV_EXAMPLE = (DOCKER / ".env.example").read_text()


def only(pattern: str, text: str) -> str:
    """Return the one text that `pattern`'s group has in `text`."""
    (found,) = set(re.findall(pattern, text, re.MULTILINE))
    return str(found)


@pytest.mark.parametrize("text", [DOCKERFILE, COMPOSE, ENV_EXAMPLE], ids=["Dockerfile", "compose.yml", ".env.example"])
def test_names_only_settings_that_exist(text: str) -> None:
    named = {name.lower() for name in re.findall(r"PARLEY_(\w+)", text)}
    assert named
    assert named <= set(Settings.model_fields)


def test_compose_hands_on_every_setting_of_the_example() -> None:
    offered = set(re.findall(r"^(?:# )?(\w+)=", ENV_EXAMPLE, re.MULTILINE))
    assert offered
    assert [name for name in sorted(offered) if not re.search(rf"^ +{name}:|\$\{{{name}:", COMPOSE, re.MULTILINE)] == []


def test_media_ports_are_the_same_everywhere() -> None:
    ports = only(r"PARLEY_RTP_PORTS=([\d-]+)", DOCKERFILE)
    assert only(r"^EXPOSE ([\d-]+)/udp", DOCKERFILE) == ports
    assert only(r'"([\d-]+:[\d-]+)/udp"', COMPOSE) == f"{ports}:{ports}"


def test_docker_waits_longer_than_the_server_drains() -> None:
    drain_s = int(only(r"PARLEY_DRAIN_DEADLINE_S:-(\d+)", COMPOSE))
    # The server stops at most 15 s after its last conference has ended.
    assert int(only(r"stop_grace_period: (\d+)s", COMPOSE)) >= drain_s + 15


def test_image_has_every_package_that_a_setting_may_ask_for() -> None:
    command = [sys.executable, str(DOCKER / "dependencies.py"), str(DOCKER.parent / "pyproject.toml")]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in listed}
    assert {"numpy", "psycopg", "s3fs", "webrtc-noise-gain"} <= names
    assert not {"pytest", "mypy"} & names


def check_health(port: int) -> int:
    environment = {**os.environ, "PARLEY_PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    command = [sys.executable, str(DOCKER / "healthcheck.py")]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


@contextmanager
def server_answering(status: int) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (204, 1), (500, 1), (503, 1)])
def test_health_check_takes_only_200_for_health(status: int, exit_code: int) -> None:
    with server_answering(status) as port:
        assert check_health(port) == exit_code


def test_health_check_fails_where_nothing_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert check_health(bound.getsockname()[1]) == 1
