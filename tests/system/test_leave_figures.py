"""What a real server tells of a bad line when its call is over."""

import socket
import struct
import time
from typing import Any

import pytest

from mixer.rtp.rtcp import build_bye
from server import clock
from tests.support.live_server import LiveServer

PACKETS = 75
LOST_OF = 10
"""One in so many is not sent."""


def send_badly(sender: socket.socket, to: tuple[str, int]) -> None:
    """Send 1.5 s of PCMU at its pace, with holes."""
    begun = clock.monotonic()
    for number in range(PACKETS):
        if number % LOST_OF != LOST_OF // 2:
            header = struct.pack("!BBHII", 0x80, 0, 100 + number, 160 * number, 77)
            sender.sendto(header + bytes([0x20, 0xA0] * 80), to)
        time.sleep(max(0.0, begun + 0.02 * (number + 1) - clock.monotonic()))


def left(server: LiveServer, conference_id: str, call_id: str) -> dict[str, Any]:
    """Wait until the call has left; return what is told of that."""
    until = clock.monotonic() + 5
    while clock.monotonic() < until:
        for event in server.get(f"/v1/conferences/{conference_id}/events")["events"]:
            params: dict[str, Any] = event["params"]
            if params["status"] == "participant-leave" and params["call_id"] == call_id:
                return params
        time.sleep(0.02)
    raise AssertionError(f"{call_id} has not left")


@pytest.mark.parametrize("how", ["kick", "bye"])
def test_the_leave_of_a_lossy_call_tells_of_its_loss(server: LiveServer, how: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        media = {"rtp": {"codec": "pcmu", "ip": "127.0.0.1", "port": sender.getsockname()[1]}}
        body = server.post(f"/v1/conferences/lossy-{how}/participants", {"media": media}).json()
        to = ("127.0.0.1", body["media"]["rtp"]["port"])
        send_badly(sender, to)
        if how == "bye":
            sender.sendto(build_bye(77, "far-end"), to)
        else:
            path = f"/v1/conferences/lossy-{how}/participants/{body['call_id']}"
            assert server.http.delete(path).status_code == 204
        params = left(server, body["conference_id"], body["call_id"])
    figures = params["media"]
    lost = len(range(LOST_OF // 2, PACKETS, LOST_OF))
    assert figures["lost"] == lost
    assert figures["packets_in"] == PACKETS - lost
    assert figures["packets_out"] > PACKETS // 2
    assert figures["concealed"] >= lost // 2
    assert 0 < figures["buffer_ms"] <= figures["added_delay_ms"] < 300
    assert figures["far_end_loss"] is None
