import numpy as np
import pytest

from server.caller.codecs import Pcm, codec
from server.caller.outgoing import Outgoing
from server.caller.wire import RtpPacket, parse_digit, parse_rtp

L16 = codec("l16", 8000)
START_S = 100.0


def outgoing(dtmf_payload_type: int | None = None) -> Outgoing:
    return Outgoing(
        L16,
        96,
        ssrc=7,
        sequence=65534,
        timestamp=2**32 - 160,
        started_s=START_S,
        dtmf_payload_type=dtmf_payload_type,
    )


def sent(out: Outgoing, until_s: float) -> list[RtpPacket]:
    packets = [parse_rtp(datagram) for datagram in out.due(START_S + until_s)]
    assert None not in packets
    return [packet for packet in packets if packet is not None]


def said(packets: list[RtpPacket]) -> Pcm:
    return np.frombuffer(b"".join(packet.payload for packet in packets), ">i2").astype(np.int16)


def test_one_packet_every_20_ms_from_the_start_on() -> None:
    out = outgoing()
    assert [len(sent(out, at)) for at in (-0.001, 0.0, 0.0199, 0.0201, 0.1001)] == [0, 1, 0, 1, 4]
    assert out.due_s == pytest.approx(START_S + 0.12)


def test_sequence_and_timestamp_run_on_through_the_wrap() -> None:
    packets = sent(outgoing(), 0.061)
    assert [packet.sequence for packet in packets] == [65534, 65535, 0, 1]
    assert [packet.timestamp for packet in packets] == [2**32 - 160, 0, 160, 320]
    assert [packet.marker for packet in packets] == [True, False, False, False]


def test_silence_is_sent_where_nothing_is_said() -> None:
    pcm = said(sent(outgoing(), 0.21))
    assert len(pcm) == 11 * 160
    assert not pcm.any()


def test_sound_is_said_once_and_in_full_whatever_its_length() -> None:
    out = outgoing()
    first, second = np.arange(1, 1001, dtype=np.int16), np.arange(2001, 2078, dtype=np.int16)
    assert out.play(first) == START_S
    assert out.play(second) == pytest.approx(START_S + 1000 / 8000)
    assert out.said_until_s == pytest.approx(START_S + 1077 / 8000)
    pcm = said(sent(out, 0.21))
    assert np.array_equal(pcm[:1077], np.concatenate([first, second]))
    assert not pcm[1077:].any()


def test_sound_starts_at_the_very_sample_that_was_asked_for() -> None:
    out = outgoing()
    sent(out, 0.05)
    assert out.play(np.full(10, 5, np.int16), START_S + 0.0801) == pytest.approx(START_S + 641 / 8000)
    pcm = said(sent(out, 0.21))
    assert np.flatnonzero(pcm).tolist() == list(range(641 - 480, 651 - 480))


def test_the_past_and_what_is_taken_are_refused() -> None:
    out = outgoing()
    sent(out, 0.05)
    with pytest.raises(ValueError, match="ago"):
        out.play(np.ones(10, np.int16), START_S + 0.04)
    out.play(np.ones(800, np.int16))
    with pytest.raises(ValueError, match="ago"):
        out.play(np.ones(10, np.int16), START_S + 0.1)


def test_a_stopped_process_leaves_packets_out_and_keeps_the_time() -> None:
    out = outgoing()
    sent(out, 0.0)
    out.play(np.arange(0, 16000, dtype=np.int16))
    packets = sent(out, 1.001)
    assert [packet.timestamp for packet in packets] == [8000 - 160]
    assert packets[0].sequence == 65535
    assert said(packets)[0] == 8000 - 160


def test_a_digit_takes_the_place_of_sound() -> None:
    out = outgoing(dtmf_payload_type=101)
    sent(out, 0.021)
    out.play(np.full(8000, 9, np.int16))
    out.send_digit("5")
    assert out.digits_waiting == 1
    packets = sent(out, 0.41)
    press = [packet for packet in packets if packet.payload_type == 101]
    assert [parse_digit(packet.payload) for packet in press] == [("5", False)] * 4 + [("5", True)] * 3
    assert {packet.timestamp for packet in press} == {packets[0].timestamp}
    assert [packet.marker for packet in press] == [True] + [False] * 6
    durations = [int.from_bytes(packet.payload[2:]) for packet in press]
    assert durations == [160, 320, 480, 640, 800, 800, 800]
    assert packets[7].timestamp == (packets[0].timestamp + 7 * 160) % 2**32
    assert [packet.sequence for packet in packets] == list(range(len(packets)))
    assert out.digits_waiting == 0


def test_two_presses_of_one_key_have_sound_between_them() -> None:
    out = outgoing(dtmf_payload_type=101)
    out.send_digit("#")
    out.send_digit("#")
    kinds = [packet.payload_type for packet in sent(out, 0.45)]
    assert kinds[:20] == [101] * 7 + [96] * 3 + [101] * 7 + [96] * 3


def test_digits_that_cannot_be_sent_are_refused() -> None:
    with pytest.raises(ValueError, match="no payload type"):
        outgoing().send_digit("1")
    with pytest.raises(ValueError, match="not a telephone digit"):
        outgoing(dtmf_payload_type=101).send_digit("x")
