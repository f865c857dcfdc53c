"""Anything at all on the media port: nothing raises, and nobody else's sound changes by one bit."""

import os

import numpy as np

from mixer.protocol import Codec
from tests.support.conference import TYPES, Caller, VirtualConference, tone

DATAGRAMS = int(os.environ.get("MALFORMED_DATAGRAMS", "20000"))
"""100 000 and more by hand."""
A_TICK = 40
CODECS: list[Codec] = ["pcmu", "g722", "l16", "opus"]


def mutated(random: np.random.Generator, valid: bytes) -> bytes:
    data = bytearray(valid)
    for _ in range(int(random.integers(1, 5))):
        kind = int(random.integers(0, 5))
        if kind == 0 and data:
            data[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        elif kind == 1:
            del data[int(random.integers(len(data) + 1)) :]
        elif kind == 2:
            at = int(random.integers(len(data) + 1))
            data[at:at] = random.bytes(int(random.integers(1, 40)))
        elif kind == 3:
            data += random.bytes(int(random.integers(0, 1500)))
        elif data:
            at = int(random.integers(min(len(data), 16)))
            data[at : at + 2] = random.bytes(2)
    return bytes(data)


def junk(random: np.random.Generator, caller: Caller) -> bytes:
    """RTP with garbage payloads, digits, reports, pure noise of 0 to 5000 bytes, and mutations of good packets."""
    kind = int(random.integers(0, 6))
    if kind == 0:
        return random.bytes(int(random.integers(0, 5001)) if random.random() < 0.1 else int(random.integers(0, 200)))
    payload_type = [TYPES[caller.codec], 101, 13, int(random.integers(128))][int(random.integers(4))]
    caller.timestamp = int(random.integers(2**32)) if random.random() < 0.05 else caller.timestamp
    caller.ssrc = caller.ssrc if random.random() < 0.99 else int(random.integers(2**32))
    header = caller.header(payload_type)
    if kind == 1:
        return header + random.bytes(int(random.integers(0, 1400)))
    if kind == 2:
        return header + bytes([int(random.integers(256))]) * int(random.integers(0, 4))
    if kind == 3:
        body = caller.ssrc.to_bytes(4) + random.bytes(int(random.integers(0, 15)) * 4)
        words = len(body) // 4 if random.random() < 0.7 else int(random.integers(65_536))
        types = bytes([0x80 | int(random.integers(32)), int(random.integers(198, 208))])
        report = types + (words & 0xFFFF).to_bytes(2) + body
        return report if report[1] != 203 else report[:1] + b"\xca" + report[2:]
    return mutated(random, header + caller.coder.encode(np.zeros(caller.rate // 50, np.int16)))


def run(with_junk: bool) -> tuple[VirtualConference, list[bytes]]:
    random = np.random.default_rng(2026)
    conference = VirtualConference()
    conference.add("pcmu", tone(400, 20, 8000))
    listeners = [conference.add(codec) for codec in CODECS]
    noisy = [conference.add(codec, dtmf=101, heard=False, hears=False) for codec in CODECS]
    learning = conference.add("pcmu", known=False)
    for _ in range(DATAGRAMS // A_TICK):
        for _ in range(A_TICK if with_junk else 0):
            caller = noisy[int(random.integers(len(noisy)))] if random.random() < 0.9 else learning
            source = None if random.random() < 0.8 else int(random.integers(2**63))
            conference.inject(caller, junk(random, caller), source)
        conference.run(1)
    return conference, [packet for listener in listeners for packet in listener.got]


def test_junk_never_raises_and_changes_nobody_elses_sound() -> None:
    conference, with_junk = run(True)
    _, without = run(False)
    assert with_junk == without
    intake, ticks = conference.mixer.intake, DATAGRAMS // A_TICK
    assert len(conference.mixer.legs) == 2 + 2 * len(CODECS)
    # All that came is either taken, or counted as dropped, or a well-formed report.
    assert 0.5 * DATAGRAMS < intake.packets + sum(intake.dropped.values()) <= DATAGRAMS + ticks + 1
    assert {"too_short", "bad_version", "unknown_source", "unconfirmed_source", "payload_type"} <= set(+intake.dropped)
    assert conference.mixer.malformed()["payload"] > 0


def test_junk_of_a_heard_leg_stays_within_bounds_and_ends_with_it() -> None:
    random = np.random.default_rng(7)
    conference = VirtualConference()
    noisy = [conference.add(codec, dtmf=101) for codec in CODECS]
    listener = conference.add("l16", rate=48000)
    for _ in range(150):
        for caller in noisy:
            for _ in range(3):
                conference.inject(caller, junk(random, caller))
        conference.run(1)
    sound = listener.heard()
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 32_767
    for caller in noisy:
        conference.mixer.remove(caller.call_id, bye=False)
    conference.add("pcmu", tone(400, 1, 8000))
    conference.run(100)
    assert not listener.heard()[-960 * 20 :].any()


def test_opus_payloads_that_are_none_cost_only_themselves() -> None:
    conference = VirtualConference()
    talker = conference.add("opus", tone(400, 6, 48000, 8000))
    listener = conference.add("l16", rate=16000)
    conference.run(50)
    bad = [b"", b"\xff", b"\x03", bytes(1276), b"\xfb\x3f" + bytes(60), b"\x4b\x41\xff" + bytes(9), b"\x78" * 1400]
    for payload in bad:
        pcm, talker.pcm = talker.pcm, None
        conference.inject(talker, talker.header() + payload)
        conference.run(1)
        talker.pcm = pcm
        conference.run(20)
    size = 320
    turn = np.exp(-2j * np.pi * 400 * np.arange(size) / 16_000)
    levels = 2 * np.abs(listener.heard().reshape(-1, size) @ turn) / size
    wrong = np.flatnonzero(np.abs(levels[50:] - 8000) > 1200)
    assert len(wrong) <= 5 * len(bad)
    assert levels[-10:].min() > 7000
