"""Somebody who talks alone reaches listeners of his own format bit by bit, and not otherwise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mixer.codecs.g711 import ALAW_DECODE, MULAW_DECODE
from mixer.protocol import Codec
from tests.support.conference import Caller, VirtualConference, tone

FORMATS: list[tuple[Codec, int]] = [("pcmu", 8000), ("pcma", 8000), ("l16", 8000), ("l16", 16000), ("l16", 48000)]
BYTES = {("pcmu", 8000): 160, ("pcma", 8000): 160, ("l16", 8000): 320, ("l16", 16000): 640, ("l16", 48000): 1920}
SILENCE = {"pcmu": 0xFF, "pcma": 0xD5, "l16": 0x00}


def raw_talker(conference: VirtualConference, codec: Codec, rate: int, payloads: list[bytes]) -> Caller:
    """A caller that sends these very payloads, one a tick."""
    caller = conference.add(codec, rate=rate)
    for number, payload in enumerate(payloads):
        at_ns = conference.now_ns + number * 20_000_000 + caller.phase_ns
        caller.scheduled.append((at_ns, caller.header() + payload))
    return caller


def random_payloads(size: int, count: int, seed: int = 3) -> list[bytes]:
    """Every byte value, negative zero (0x7F in mu-law) and all, in runs as speech has them."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, (count, size), dtype=np.uint8)
    values[::3, : size // 2] = 0x7F
    return [row.tobytes() for row in values]


def payloads_got(caller: Caller) -> list[bytes]:
    return [packet[12:] for packet in caller.got]


def is_carried_over(sent: list[bytes], got: list[bytes]) -> bool:
    """All of `sent`, one after the other, somewhere in `got`."""
    return any(got[at : at + len(sent)] == sent for at in range(len(got) - len(sent) + 1))


@pytest.mark.parametrize(("codec", "rate"), FORMATS)
def test_lone_talker_is_carried_over_bit_by_bit(codec: Codec, rate: int) -> None:
    conference = VirtualConference()
    sent = random_payloads(BYTES[codec, rate], 40)
    talker = raw_talker(conference, codec, rate, sent)
    listeners = [conference.add(codec, rate=rate) for _ in range(3)]
    conference.run(45)
    for listener in listeners:
        assert is_carried_over(sent, payloads_got(listener))
    nothing = bytes([SILENCE[codec]]) * BYTES[codec, rate]
    assert set(payloads_got(talker)) == {nothing}


@pytest.mark.parametrize(("codec", "rate"), FORMATS)
def test_silence_of_others_in_every_format_does_not_spoil_it(codec: Codec, rate: int) -> None:
    conference = VirtualConference()
    sent = random_payloads(BYTES[codec, rate], 40)
    raw_talker(conference, codec, rate, sent)
    listener = conference.add(codec, rate=rate)
    for quiet, quiet_rate in [*FORMATS, ("g722", 16000), ("opus", 48000)]:
        conference.add(quiet, np.zeros(quiet_rate * 2, np.int16), rate=quiet_rate)  # type: ignore[arg-type]
    conference.run(45)
    assert is_carried_over(sent, payloads_got(listener))


def test_muted_talkers_and_changed_gains_of_others_do_not_spoil_it() -> None:
    conference = VirtualConference()
    sent = random_payloads(160, 60)
    raw_talker(conference, "pcmu", 8000, sent)
    muted = conference.add("pcmu", tone(400, 2, 8000), heard=False)
    conference.add("pcmu", gain=0.5)
    listener = conference.add("pcmu")
    conference.run(20)
    conference.mixer.remove(muted.call_id, bye=False)
    conference.run(45)
    assert is_carried_over(sent, payloads_got(listener))


@pytest.mark.parametrize("gain", [0.5, 1.5])
def test_talker_with_a_gain_is_not_carried_over_but_multiplied(gain: float) -> None:
    conference = VirtualConference()
    sent = random_payloads(160, 40)
    conference.add("pcmu")
    talker = raw_talker(conference, "pcmu", 8000, sent)
    conference.update(talker, gain=gain)
    conference.run(45)
    got = payloads_got(conference.callers["call-0"])
    assert not any(payload in sent for payload in got)
    heard = MULAW_DECODE[np.frombuffer(b"".join(got), np.uint8)]
    said = MULAW_DECODE[np.frombuffer(b"".join(sent), np.uint8)]
    start = next(at for at in range(0, len(heard), 160) if heard[at : at + 160].any())
    said, heard = said[320:3200], heard[start + 320 : start + 3200]
    if gain < 1:  # within half a step of mu-law; above 1 the limiter has its say
        assert np.all(np.abs(heard - gain * said) <= 4 + np.abs(gain * said) / 32)


@pytest.mark.parametrize(("codec", "table"), [("pcmu", MULAW_DECODE), ("pcma", ALAW_DECODE)])
def test_sum_of_two_talkers_is_the_nearest_code(codec: Codec, table: NDArray[np.float32]) -> None:
    conference = VirtualConference()
    random = np.random.default_rng(5)
    quiet_codes = np.flatnonzero(np.abs(table) < 12_000).astype(np.uint8)  # so that no sum needs the limiter
    sent = [[random.choice(quiet_codes, 160).tobytes() for _ in range(30)] for _ in range(2)]
    for payloads in sent:
        raw_talker(conference, codec, 8000, payloads)
    listener = conference.add(codec)
    conference.run(35)
    heard = decoded(table, payloads_got(listener))
    one, other = (decoded(table, payloads) for payloads in sent)
    waits = [(a, b) for a in range(5) for b in range(5) if is_nearest_sum(table, heard, one[10 - a :], other[10 - b :])]
    assert len(waits) == 1  # each waited for so many ticks


def decoded(table: NDArray[np.float32], payloads: list[bytes]) -> NDArray[np.float64]:
    """(ticks, 160)."""
    return table[np.frombuffer(b"".join(payloads), np.uint8)].astype(np.float64).reshape(-1, 160)


def is_nearest_sum(
    table: NDArray[np.float32], heard: NDArray[np.float64], one: NDArray[np.float64], other: NDArray[np.float64]
) -> bool:
    """Ten ticks from the tenth on: no code would have been nearer to the sum."""
    wanted = one[:10] + other[:10]
    least = np.abs(table.astype(np.float64) - wanted[..., np.newaxis]).min(axis=-1)
    return bool(np.all(np.abs(heard[10:20] - wanted) <= least))


def test_second_talker_ends_it_and_his_silence_brings_it_back() -> None:
    conference = VirtualConference()
    sent = random_payloads(160, 300, seed=9)
    raw_talker(conference, "pcmu", 8000, sent)
    raw_talker(conference, "pcmu", 8000, random_payloads(160, 30, seed=10) + [b"\xff" * 160] * 270)
    listener = conference.add("pcmu")
    conference.run(305)
    got = payloads_got(listener)
    assert not any(payload in sent for payload in got[5:28])
    # What was too loud for the limiter takes it some seconds to forget; then payloads are passed on again.
    assert is_carried_over(sent[-50:], got)
