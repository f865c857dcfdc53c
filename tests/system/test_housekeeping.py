"""Nothing is left behind: processes, ports, descriptors, tasks; and nothing strangers send matters."""

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from server.caller.session import RtpCaller
from tests.support.live_server import LiveServer, free_port
from tests.support.processes import open_fds
from tests.support.tones import level_at, tone

CYCLES = 1000
AT_ONCE = 4


def cycle(server: LiveServer, number: int) -> None:
    """One call joins a conference and goes, each time in another of the ways there are."""
    media = {
        "rtp": {"ip": "127.0.0.1", "port": 5000 + number % 50 * 2, "codec": random.choice(["pcmu", "opus", "g722"])}
    }
    name = f"cycle-{number % (2 * AT_ONCE)}"
    if number % 4 == 0:
        call_id = server.post("/v1/calls", {"media": media}).json()["call_id"]
        joined = server.post(f"/v1/calls/{call_id}/join_conference", {"name": name}).json()
        left = server.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": joined["conference_id"]})
        assert left.status_code == 200, left.text
        assert server.http.delete(f"/v1/calls/{call_id}").status_code == 204
        return
    joined = server.post(f"/v1/conferences/{name}/participants", {"media": media})
    assert joined.status_code == 201, joined.text
    body = joined.json()
    path = f"/v1/conferences/{body['conference_id']}/participants/{body['call_id']}"
    gone = server.http.delete(path if number % 4 == 1 else f"/v1/calls/{body['call_id']}")
    assert gone.status_code == 204, gone.text


def test_a_thousand_joins_and_leaves_leave_nothing_behind(server: LiveServer) -> None:
    for number in range(8):
        cycle(server, number)
    settle(server, mixers=1)
    before = open_fds(server.pid)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda number: cycle(server, number), range(CYCLES)))
    settle(server, mixers=1)  # the lobby's
    after = open_fds(server.pid)
    # The client keeps a connection a thread open.
    assert len(after) <= len(before) + AT_ONCE, sorted(set(after.values()) - set(before.values()))
    assert server.get("/v1/calls")["calls"] == []
    running = server.get("/v1/conferences?status=in-progress")["conferences"]
    assert [conference for conference in running if conference["name"].startswith("cycle-")] == []


def settle(server: LiveServer, mixers: int) -> None:
    for _ in range(200):
        if len(server.mixers()) == mixers:
            return
        time.sleep(0.05)
    raise AssertionError(f"{len(server.mixers())} mixers are running")


def test_junk_from_strangers_and_from_a_caller_disturbs_nobody_else(server: LiveServer) -> None:
    noise = random.Random(3)
    with (
        RtpCaller("pcmu") as talker,
        RtpCaller("pcmu") as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as faulty,
    ):
        faulty.bind(("127.0.0.1", 0))
        media = {"rtp": {"ip": "127.0.0.1", "port": faulty.getsockname()[1], "codec": "opus"}}
        for caller in (talker, listener):
            answer = server.post("/v1/conferences/junk/participants", {"media": caller.media()})
            caller.start(answer.json()["media"])
        body = server.post("/v1/conferences/junk/participants", {"media": media}).json()
        target = body["media"]["rtp"]
        talker.play(tone(640, 4, 8000, 3000), 8000)
        for _ in range(200):
            for sender in (stranger, faulty):
                for _ in range(20):
                    datagram = noise.randbytes(noise.choice([0, 1, 7, 12, 13, 100, 172, 1500]))
                    if noise.random() < 0.5:
                        datagram = bytes([0x80, noise.choice([0, 111, 200, 201, 203])]) + datagram
                    sender.sendto(datagram, (target["ip"], target["port"]))
            time.sleep(0.01)
        sound = listener.heard()
        assert level_at(sound.pcm[-sound.rate :], sound.rate, 640) > 2000
        counts = listener.counts()
        conference = server.get("/v1/conferences/junk")
        assert server.http.delete(f"/v1/calls/{body['call_id']}").status_code == 204
    assert counts.lost == 0
    assert conference["status"] == "in-progress"


def test_a_port_in_use_stops_the_start_and_names_the_setting(tmp_path: object, server: LiveServer) -> None:
    second = LiveServer(
        server.log.parent, PARLEY_PORT=str(server.port), PARLEY_DATA_DIR=str(server.log.parent / "other")
    )
    try:
        second.start(patience_s=10)
    except AssertionError:
        assert second.process is not None
        assert second.process.wait(10) != 0
        assert "PARLEY_PORT" in server.log.read_text()
    else:
        raise AssertionError("two servers on one port")
    assert free_port() > 0
