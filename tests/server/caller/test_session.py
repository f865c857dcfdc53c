import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from server.caller.codecs import CODEC_NAMES
from server.caller.session import RtpCaller
from server.caller.wire import RtpPacket, pack_rtp
from tests.support.tones import hears, level_at, tone


def answer_of(caller: RtpCaller) -> dict[str, Any]:
    """What a server would answer if its media were `caller`."""
    ip, port = caller.address
    return {"rtp": {"ip": ip, "port": port, "payload_type": caller.codec.payload_type}}


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.perf_counter() + timeout_s
    while not condition():
        assert time.perf_counter() < deadline, "it did not happen in time"
        time.sleep(0.005)


@contextmanager
def pair(codec: str, **options: Any) -> Iterator[tuple[RtpCaller, RtpCaller]]:
    with RtpCaller(codec, **options) as one, RtpCaller(codec, **options) as other:
        one.start(answer_of(other))
        other.start(answer_of(one))
        yield one, other


def assert_heard(caller: RtpCaller, own_hz: float, other_hz: float, began_s: float) -> None:
    sound = caller.heard()
    begin = sound.index_at(began_s + 0.1)  # behind the codec's delay
    part = sound.pcm[begin : begin + sound.rate * 4 // 10]
    name = caller.codec.name
    assert hears(part, sound.rate, [own_hz, other_hz]) == {own_hz: False, other_hz: True}, name
    assert level_at(part, sound.rate, other_hz) == pytest.approx(6000, rel=0.06), name
    before = sound.pcm[: max(0, sound.index_at(began_s - 0.02))]
    assert not len(before) or abs(before).max() < 300, name


def test_each_codec_carries_a_tone_both_ways_to_its_place_in_time() -> None:
    with ExitStack() as stack:
        pairs = [stack.enter_context(pair(name)) for name in CODEC_NAMES]
        starts = [
            (one.play(tone(600, 0.6, 8000, 6000), 8000), other.play(tone(1200, 0.6, 48000, 6000), 48000))
            for one, other in pairs
        ]
        wait_until(lambda: all(caller.counts().received >= 45 for two in pairs for caller in two))
        for (one, other), (one_at, other_at) in zip(pairs, starts, strict=True):
            assert_heard(one, 600, 1200, other_at)
            assert_heard(other, 1200, 600, one_at)
            assert one.counts().lost == other.counts().lost == 0


def test_a_bye_ends_the_other_side_and_sound_stays_readable() -> None:
    with pair("pcmu") as (one, other):
        one.play(tone(600, 0.3, 8000), 8000)
        wait_until(lambda: other.counts().received > 5)
        one.close()
        assert other.ended.wait(5)
        assert not one.ended.is_set()
        other.close()
        assert len(other.heard().pcm) >= 5 * 160
        assert other.counts().received > 5


def test_without_bye_the_other_side_hears_nothing_of_the_end() -> None:
    with pair("pcmu") as (one, other):
        wait_until(lambda: other.counts().received > 2)
        one.close(bye=False)
        assert not other.ended.wait(0.1)


def test_strangers_are_counted_and_not_heard() -> None:
    with (
        pair("pcmu") as (one, other),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        stranger.sendto(pack_rtp(RtpPacket(0, 1, 1, 1, b"\x00" * 160)), other.address)
        wait_until(lambda: other.counts().strangers == 1)
        wait_until(lambda: other.counts().received > 3)
        assert not other.heard().pcm.any()
        assert one.counts().strangers == 0


def test_digits_reach_the_other_side() -> None:
    with pair("pcma", dtmf_payload_type=101) as (one, other):
        one.send_digit("7", duration_ms=40)
        one.send_digit("#", duration_ms=40)
        wait_until(lambda: other.digits_heard() == "7#")
        wait_until(lambda: one.digits_waiting == 0)


def test_who_only_listens_sends_no_rtp() -> None:
    with RtpCaller("pcmu", direction="recvonly") as listener, RtpCaller("pcmu") as talker:
        talker.start(answer_of(listener))
        listener.start(answer_of(talker))
        wait_until(lambda: listener.counts().received >= 5)
        assert listener.counts().sent == 0
        assert talker.counts().received == 0


def test_packets_can_be_looked_at_bit_by_bit() -> None:
    with pair("l16", sample_rate=8000, keep_packets=True) as (one, other):
        wait_until(lambda: len(other.packets()) >= 4)
        packets = [kept.packet for kept in other.packets()][:4]
        assert [len(packet.payload) for packet in packets] == [320] * 4
        assert {packet.ssrc for packet in packets} == {one.media()["rtp"]["ssrc"]}


def test_taking_sound_away_leaves_none_and_loses_none() -> None:
    with pair("pcmu") as (_, other):
        wait_until(lambda: other.counts().received >= 3)
        first = other.take_heard()
        wait_until(lambda: other.counts().received >= 6)
        second = other.heard()
        assert len(first.pcm) >= 3 * 160
        gap_s = second.starts_at_s - first.starts_at_s - len(first.pcm) / 8000
        assert gap_s == pytest.approx(0, abs=0.02)  # but for a shorter transit found meanwhile


def test_media_says_what_the_server_must_know() -> None:
    with RtpCaller("l16", sample_rate=24000, payload_type=100, dtmf_payload_type=101) as caller:
        rtp = caller.media()["rtp"]
        ssrc = rtp.pop("ssrc")
        assert 0 <= ssrc < 2**32
        assert rtp == {
            "codec": "l16",
            "direction": "sendrecv",
            "ip": "127.0.0.1",
            "port": caller.address[1],
            "payload_type": 100,
            "sample_rate": 24000,
            "dtmf_payload_type": 101,
        }
    with RtpCaller("opus", learn=True, direction="sendonly") as caller:
        assert caller.media()["rtp"].keys() == {"codec", "direction", "ssrc"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"rtp": {}},
        {"rtp": {"ip": "nowhere", "port": 5}},
        {"rtp": {"ip": "127.0.0.1", "port": "x"}},
        {"sdp": "v=0"},
    ],
)
def test_an_answer_without_an_address_is_refused(answer: dict[str, Any]) -> None:
    with RtpCaller() as caller:
        with pytest.raises(ValueError, match="not the answer"):
            caller.start(answer)
        assert not caller.started


def test_a_call_that_has_not_started_can_do_nothing_and_starts_once() -> None:
    with RtpCaller() as caller:
        for act in (caller.heard, caller.counts, lambda: caller.send_digit("1")):
            with pytest.raises(RuntimeError, match="not started"):
                act()
        caller.start(answer_of(caller))
        with pytest.raises(RuntimeError, match="already"):
            caller.start(answer_of(caller))


def test_the_port_is_free_after_close_and_closing_twice_is_fine() -> None:
    caller = RtpCaller()
    caller.close()
    caller.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(caller.address)


def test_a_failure_of_the_thread_is_told() -> None:
    broken: list[bool] = []

    def now() -> float:
        if broken:
            raise ArithmeticError("the clock stopped")
        return 0.0

    caller = RtpCaller(now=now)
    caller.start(answer_of(caller))
    broken.append(True)
    with pytest.raises(RuntimeError, match="thread failed"):
        wait_until(lambda: caller.counts().sent < 0)
    with pytest.raises(RuntimeError, match="thread failed"):
        caller.close()
