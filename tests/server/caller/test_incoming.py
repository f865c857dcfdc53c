import numpy as np
import pytest

from server.caller.codecs import codec, encoder
from server.caller.incoming import Incoming
from server.caller.wire import RtpPacket, pack_bye, pack_digit, pack_report, pack_rtp

L16 = codec("l16", 8000)
OPUS = codec("opus")


def datagram(number: int, value: int = 1, ssrc: int = 7, payload_type: int = 96) -> bytes:
    payload = np.full(160, value, ">i2").tobytes()
    return pack_rtp(RtpPacket(payload_type, number, number * 160, ssrc, payload))


def values(incoming: Incoming) -> list[int]:
    """One value for each 20 ms heard."""
    incoming.finish()
    return [int(value) for value in incoming.sound().pcm.reshape(-1, 160)[:, 0]]


def test_sound_is_put_in_order_and_gaps_are_silence() -> None:
    incoming = Incoming(L16, 96)
    for number in (0, 2, 1, 4, 5):
        incoming.take(datagram(number, number + 1), number * 0.02)
    assert values(incoming) == [1, 2, 3, 0, 5, 6]
    counts = incoming.counts
    assert (counts.received, counts.lost, counts.late, counts.duplicates) == (5, 1, 0, 0)


def test_what_is_not_ours_is_counted_and_left_out() -> None:
    incoming = Incoming(L16, 96)
    incoming.take(datagram(0, 5), 0.0)
    incoming.take(b"", 0.0)
    incoming.take(b"hello", 0.0)
    incoming.take(datagram(1, 9, payload_type=0), 0.0)
    incoming.take(pack_rtp(RtpPacket(96, 1, 160, 7, b"odd")), 0.0)
    assert values(incoming) == [5]
    assert (incoming.unknown, incoming.undecodable) == (3, 1)


def test_a_bye_is_noticed_and_a_report_is_not_one() -> None:
    incoming = Incoming(L16, 96)
    report = pack_report(7, "x", unix_s=0, rtp_timestamp=0, packets=1, payload_bytes=1, reception=None)
    incoming.take(report, 0.0)
    assert not incoming.bye
    incoming.take(pack_bye(7, "x"), 0.0)
    assert incoming.bye
    assert incoming.reports == 2


def test_a_new_ssrc_starts_anew_and_counts_go_on() -> None:
    incoming = Incoming(L16, 96)
    for number in range(3):
        incoming.take(datagram(number, 1), number * 0.02)
    for number in (40000, 40001, 40003):
        incoming.take(datagram(number, 2, ssrc=8), 0.06 + (number - 40000) * 0.02)
    assert values(incoming) == [1, 1, 1, 2, 2, 0, 2]
    assert (incoming.counts.received, incoming.counts.lost) == (6, 1)


def test_digits_are_heard_once_each_and_are_no_loss() -> None:
    incoming = Incoming(L16, 96, dtmf_payload_type=101)
    number = 0
    for start, digit in ((0, "1"), (9600, "1"), (19200, "#")):
        for end in (False, False, True, True, True):
            packet = RtpPacket(101, number, start, 7, pack_digit(digit, 160, end=end))
            incoming.take(pack_rtp(packet), number * 0.02)
            number += 1
    incoming.finish()
    assert incoming.digits == "11#"
    assert (incoming.counts.received, incoming.counts.lost) == (15, 0)


def test_the_report_tells_loss_since_the_last_one() -> None:
    incoming = Incoming(L16, 96)
    assert incoming.reception() is None
    for number in (65530, 65531, 65532, 65534):
        incoming.take(datagram(number), number * 0.02)
    first = incoming.reception()
    assert first is not None
    assert (first.ssrc, first.lost, first.fraction_lost, first.highest_sequence) == (7, 1, 0.2, 65534)
    for number in range(65535, 65545):
        incoming.take(datagram(number), number * 0.02)
    second = incoming.reception()
    assert second is not None
    assert (second.lost, second.fraction_lost, second.highest_sequence) == (1, 0.0, 65544)


def test_even_spacing_is_no_jitter_and_uneven_is() -> None:
    even, uneven = Incoming(L16, 96), Incoming(L16, 96)
    for number in range(200):
        even.take(datagram(number), 50 + number * 0.02)
        uneven.take(datagram(number), 50 + number * 0.02 + (0.01 if number % 2 else 0.0))
    calm, shaken = even.reception(), uneven.reception()
    assert calm is not None and shaken is not None
    assert calm.jitter == 0
    assert shaken.jitter == pytest.approx(80, abs=2)  # 10 ms at 8 kHz


def test_packets_are_kept_when_asked() -> None:
    kept, forgotten = Incoming(L16, 96, keep_packets=True), Incoming(L16, 96)
    for incoming in (kept, forgotten):
        incoming.take(datagram(3, 4), 1.5)
    assert [(one.packet.sequence, one.arrived_s) for one in kept.packets] == [(3, 1.5)]
    assert forgotten.packets == []


def test_a_broken_opus_payload_costs_only_itself() -> None:
    encode = encoder(OPUS)
    incoming = Incoming(OPUS, 111)
    tone = (8000 * np.sin(np.arange(960) * 2 * np.pi / 48)).astype(np.int16)
    for number in range(20):
        payload = b"" if number == 10 else encode.encode(tone)
        incoming.take(pack_rtp(RtpPacket(111, number, number * 960, 7, payload)), number * 0.02)
    incoming.finish()
    frames = incoming.sound().pcm.reshape(-1, 960)
    assert incoming.undecodable == 1
    assert len(frames) == 20
    assert not frames[10].any()
    assert np.abs(frames[12:]).max(axis=1).min() > 6000
