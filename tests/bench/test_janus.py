"""Janus itself is only run where it is installed; what is said to it is tried against a stand-in."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import janus
from bench.janus import Api, Coding, Janus, JanusError, Room, configuration


class FakeJanus:
    """Answers as it does: joins are promised first and answered later, with the others' news in between."""

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while data := connection.recv(65_536):
                request = json.loads(data)
                self.asked.append(request)
                for answer in self._answers(request):
                    connection.send(json.dumps(answer).encode())

    def _answers(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        known = {"transaction": request["transaction"]}
        body = request.get("body", {})
        if request["janus"] != "message":
            yield known | {"janus": "success", "data": {"id": len(self.asked)}}
        elif body["request"] != "join":
            yield known | {"janus": "success", "plugindata": {"data": {"audiobridge": "done"}}}
        else:
            yield known | {"janus": "ack"}
            yield {"janus": "event", "plugindata": {"data": {"audiobridge": "event"}}}
            rtp = {"ip": "127.0.0.1", "port": 36_000 + len(self.asked)}
            wrong = {"error_code": 484, "error": "Invalid element (quality)"}
            joined = {"audiobridge": "joined", "rtp": rtp} if body.get("quality") != 0 else wrong
            yield known | {"janus": "event", "plugindata": {"data": joined}}

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[tuple[FakeJanus, Janus]]:
    standin = FakeJanus(tmp_path / "api")
    client = Janus.__new__(Janus)
    client._api = Api(tmp_path / "api")
    client._session = 7
    yield standin, client
    client._api.close()
    standin.close()


def test_callers_join_a_room_that_mixes_at_their_rate(fake: tuple[FakeJanus, Janus]) -> None:
    standin, client = fake
    room = Room(client, "opus", Coding(1, 64_000), [("127.64.0.1", 4000), ("127.64.0.2", 4001)])
    targets = [room.join(caller).target for caller in range(2)]
    room.close()
    bodies = [request["body"] for request in standin.asked if request["janus"] == "message"]
    assert bodies[0]["sampling_rate"] == 48_000 and bodies[0]["allow_rtp_participants"]
    assert bodies[1]["rtp"] == {"ip": "127.64.0.1", "port": 4000, "payload_type": 111}
    assert (bodies[1]["quality"], bodies[1]["bitrate"]) == (1, 64_000)
    assert bodies[3]["request"] == "destroy"
    assert [request["janus"] for request in standin.asked].count("detach") == 3
    assert len(set(targets)) == 2 and {ip for ip, _ in targets} == {"127.0.0.1"}


def test_by_itself_janus_chooses_how_it_encodes(fake: tuple[FakeJanus, Janus]) -> None:
    standin, client = fake
    Room(client, "opus", Coding(), [("127.64.0.1", 4000)]).join(0)
    assert not {"quality", "bitrate"} & standin.asked[-1]["body"].keys()


def test_what_janus_refuses_is_told(fake: tuple[FakeJanus, Janus]) -> None:
    _, client = fake
    room = Room(client, "opus", Coding(0), [("127.64.0.1", 4000)])
    with pytest.raises(JanusError, match="Invalid element"):
        room.join(0)


def test_only_what_is_needed_is_loaded(tmp_path: Path) -> None:
    for kind, names in {"plugins": ["audiobridge", "sip"], "transports": ["http", "pfunix"]}.items():
        (tmp_path / kind).mkdir()
        for name in names:
            (tmp_path / kind / f"libjanus_{name}.so").touch()
    files = configuration(tmp_path / "run", tmp_path)
    assert 'plugins: { disable = "libjanus_sip.so" }' in files["janus.jcfg"]
    assert 'transports: { disable = "libjanus_http.so" }' in files["janus.jcfg"]
    assert f'path = "{tmp_path}/run/api"' in files["janus.transport.pfunix.jcfg"]


def test_without_janus_there_is_nothing_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not janus.installed()


@pytest.mark.skipif(not janus.installed(), reason="janus is not installed")
def test_the_real_one_starts_and_takes_participants(tmp_path: Path) -> None:
    with Janus(tmp_path, core=None) as running:
        room = Room(running, "pcmu", Coding(), [("127.64.0.1", 4000), ("127.64.0.2", 4000)])
        ports = {room.join(caller).target[1] for caller in range(2)}
        assert len(ports) == 2
        room.close()
        pid = running.pid
    assert not Path(f"/proc/{pid}").exists()
