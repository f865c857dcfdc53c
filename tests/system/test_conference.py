"""Conferences through a real server: HTTP, processes, UDP on 127.0.0.1. Who hears whom is told by tones."""

import socket
import struct
import time
import uuid
from itertools import pairwise

import numpy as np

from server import clock
from server.caller.session import RtpCaller
from tests.support.live_server import LiveServer
from tests.support.patience import PATIENCE_S, eventually
from tests.support.tones import level_at, tone, tone_frequencies

AMPLITUDE = 2500.0
SECONDS = 3 * PATIENCE_S + 10
"""Longer than anything here may take."""


def join(server: LiveServer, name: str, caller: RtpCaller, **options: object) -> dict[str, str]:
    answer = server.post(f"/v1/conferences/{name}/participants", {"media": caller.media(), **options})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    caller.start(body["media"])
    return body


def heard(caller: RtpCaller, frequency: float, last_s: float = 1.5) -> float:
    sound = caller.heard()
    last = sound.pcm[-int(last_s * sound.rate) :]
    assert len(last) == int(last_s * sound.rate)
    return level_at(last, sound.rate, frequency)


def talk(caller: RtpCaller, frequency: float, seconds: float = SECONDS, amplitude: float = AMPLITUDE) -> None:
    caller.play(tone(frequency, seconds, 48000, amplitude), 48000)


def test_eight_callers_in_mixed_codecs_each_hear_exactly_the_others(server: LiveServer) -> None:
    codecs = [("pcmu", None), ("pcma", None), ("g722", None), ("opus", None)]
    codecs += [("opus", None), ("l16", 8000), ("l16", 16000), ("l16", 48000)]
    frequencies = tone_frequencies(8)
    callers = [RtpCaller(codec, sample_rate=rate) for codec, rate in codecs]
    try:
        for caller in callers:
            join(server, "matrix", caller)
        for caller, frequency in zip(callers, frequencies, strict=True):
            talk(caller, frequency)
        eventually(lambda: everyone_hears_exactly_the_others(callers, frequencies))
        stats = server.get("/v1/conferences/matrix/stats")
    finally:
        for caller in callers:
            caller.close()
    assert stats["mixer"]["ticks"] > 50
    assert len(stats["calls"]) == 8
    assert all(call["packets_in"] > 50 and call["packets_out"] > 50 for call in stats["calls"])


def everyone_hears_exactly_the_others(callers: list[RtpCaller], frequencies: list[float]) -> None:
    levels = np.array([[heard(caller, frequency, 1.5) for frequency in frequencies] for caller in callers])
    own = np.eye(len(callers), dtype=bool)
    assert (levels[own] < AMPLITUDE / 20).all(), levels.round()  # what is left is Opus coding noise of the others
    assert (np.abs(levels[~own] - AMPLITUDE) < AMPLITUDE / 4).all(), levels.round()


def is_heard(caller: RtpCaller, frequency: float, amplitude: float, give_or_take: float) -> None:
    """Wait until the caller has heard this for 0.6 s."""
    eventually(lambda: assert_level(caller, frequency, amplitude, give_or_take))


def assert_level(caller: RtpCaller, frequency: float, amplitude: float, give_or_take: float) -> None:
    level = heard(caller, frequency, 0.6)
    assert abs(level - amplitude) < give_or_take, level


def test_muting_and_gain_by_patch_are_heard(server: LiveServer) -> None:
    with RtpCaller("pcmu") as talker, RtpCaller("opus") as listener:
        body = join(server, "patch", talker)
        join(server, "patch", listener)
        talk(talker, 500)
        is_heard(listener, 500, AMPLITUDE, AMPLITUDE / 4)
        path = f"/v1/conferences/patch/participants/{body['call_id']}"
        assert server.http.patch(path, json={"muted": True}).json()["muted"] is True
        is_heard(listener, 500, 0, AMPLITUDE / 50)
        assert server.http.patch(path, json={"muted": False, "gain_db": -12}).status_code == 200
        is_heard(listener, 500, AMPLITUDE / 4, AMPLITUDE / 10)
    statuses = [
        event["params"]["status"] for event in server.get(f"/v1/conferences/{body['conference_id']}/events")["events"]
    ]
    assert [status for status in statuses if "speech" not in status][:6] == [
        "participant-join",
        "conference-start",
        "participant-join",
        "participant-mute",
        "participant-unmute",
        "participant-modify",
    ]


def test_a_call_leaves_one_conference_and_joins_another_on_the_same_socket(server: LiveServer) -> None:
    with RtpCaller("pcmu", keep_packets=True) as mover, RtpCaller("pcmu") as here, RtpCaller("g722") as there:
        call = server.post("/v1/calls", {"media": mover.media()})
        assert call.status_code == 201, call.text
        call_id = call.json()["call_id"]
        mover.start(call.json()["media"])
        join(server, "here", here)
        join(server, "there", there)
        talk(mover, 700)
        first = server.post(f"/v1/calls/{call_id}/join_conference", {"name": "here"})
        assert first.status_code == 200, first.text
        is_heard(here, 700, AMPLITUDE, AMPLITUDE / 2)
        eventually(lambda: heard(there, 700, 0.6))  # that long
        assert_level(there, 700, 0, AMPLITUDE / 50)
        left = server.post(f"/v1/calls/{call_id}/leave_conference", {"conference_id": first.json()["conference_id"]})
        assert left.status_code == 200, left.text
        assert server.post(f"/v1/calls/{call_id}/join_conference", {"name": "there"}).status_code == 200
        is_heard(there, 700, AMPLITUDE, AMPLITUDE / 2)
        is_heard(here, 700, 0, AMPLITUDE / 50)
        packets = mover.packets()
        assert server.http.delete(f"/v1/calls/{call_id}").status_code == 204
    assert len({kept.packet.ssrc for kept in packets}) == 1
    sequences = [kept.packet.sequence for kept in packets]
    assert all((after - before) & 0xFFFF == 1 for before, after in pairwise(sequences))
    stamps = [kept.packet.timestamp for kept in packets]
    steps = {((after - before) & 0xFFFFFFFF) for before, after in pairwise(stamps)}
    assert steps <= {160, 320}, "a move costs at most one tick"


def test_a_lone_talkers_payloads_reach_another_pcmu_caller_byte_by_byte(server: LiveServer) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talker,
        RtpCaller("pcmu", keep_packets=True) as listener,
        RtpCaller("g722") as third,
    ):
        join(server, "identity", listener, beep=False)
        join(server, "identity", third, beep=False)
        talker.bind(("127.0.0.1", 0))
        media = {"rtp": {"ip": "127.0.0.1", "port": talker.getsockname()[1], "codec": "pcmu"}}
        body = server.post("/v1/conferences/identity/participants", {"media": media, "beep": False}).json()
        answer = body["media"]["rtp"]
        said = np.random.default_rng(5).integers(0, 256, (600, 160)).astype(np.uint8)
        longest, due = 0, clock.monotonic()
        # A busy machine sends a packet too late for its turn, or stands still, and what was said is concealed or
        # stretched from there. The talker goes on until half a second came out unchanged.
        for number, payload in enumerate(said):
            header = struct.pack("!BBHII", 0x80, 0, number, number * 160, 7)
            talker.sendto(header + payload.tobytes(), (answer["ip"], answer["port"]))
            if number % 20 == 19:
                got = b"".join(kept.packet.payload for kept in listener.packets())
                longest = longest_run(said[max(0, number - 60) : number], got)
            if longest >= 25:
                break
            due += 0.02
            time.sleep(max(0.0, due - clock.monotonic()))
        assert server.http.delete(f"/v1/calls/{body['call_id']}").status_code == 204
    assert longest >= 25


def longest_run(said: np.ndarray, got: bytes) -> int:
    """How many payloads in a row came out unchanged, at most."""
    longest = 0
    for first in range(len(said)):
        while said[first : first + longest + 1].tobytes() in got and first + longest < len(said):
            longest += 1
    return longest


def test_a_caller_whose_address_is_learnt(server: LiveServer) -> None:
    with RtpCaller("pcma", learn=True) as behind_nat, RtpCaller("pcmu") as listener:
        join(server, "learn", listener)
        join(server, "learn", behind_nat)
        talk(behind_nat, 900)
        talk(listener, 600)
        is_heard(listener, 900, AMPLITUDE, AMPLITUDE / 2)
        is_heard(behind_nat, 600, AMPLITUDE, AMPLITUDE / 2)


def test_digits_become_events(server: LiveServer) -> None:
    with RtpCaller("opus", dtmf_payload_type=101) as presser, RtpCaller("pcmu") as other:
        body = join(server, "digits", presser)
        join(server, "digits", other)
        for digit in "1#":
            presser.send_digit(digit)
        eventually(lambda: assert_digits(server, body["conference_id"], ["1", "#"]))


def assert_digits(server: LiveServer, conference_id: str, pressed: list[str]) -> None:
    events = server.get(f"/v1/conferences/{conference_id}/events")["events"]
    assert [event["params"]["digit"] for event in events if event["params"]["status"] == "participant-dtmf"] == pressed


def test_bye_ends_a_call_and_the_last_one_the_conference(server: LiveServer) -> None:
    name = f"bye-{uuid.uuid4().hex[:6]}"
    with RtpCaller("pcmu") as caller:
        body = join(server, name, caller)
        time.sleep(0.3)
        caller.close(bye=True)
    for _ in range(100):
        conference = server.get(f"/v1/conferences/{body['conference_id']}")
        if conference["status"] == "completed":
            break
        time.sleep(0.05)
    assert (conference["status"], conference["reason_ended"]) == ("completed", "last-participant-left")
    assert server.http.get(f"/v1/conferences/{name}").status_code == 404
