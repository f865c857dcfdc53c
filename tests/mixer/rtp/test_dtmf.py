import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixer.rtp.dtmf import DIGITS, SILENT_TICKS, Digit, DtmfReceiver

START = 0xFFFF_FF00  # wraps in the middle of most tests


def event(code: int, units: int, end: bool = False) -> bytes:
    return bytes((code, 0x8A if end else 0x0A)) + units.to_bytes(2)


def press(code: int, start: int, units: int, step: int = 160) -> list[tuple[bytes, int, bool]]:
    """The packets of a press as a phone sends them: updates, then the end three times."""
    running = [(event(code, u), start, u == step) for u in range(step, units, step)]
    return running + [(event(code, units, end=True), start, not running)] * 3


def feed_all(receiver: DtmfReceiver, packets: list[tuple[bytes, int, bool]]) -> list[Digit]:
    told = []
    for tick, (payload, timestamp, marker) in enumerate(packets):
        told += receiver.feed(payload, timestamp & 0xFFFF_FFFF, marker, tick)
    return told


@pytest.mark.parametrize(("code", "digit"), list(enumerate("0123456789*#ABCD")))
def test_a_press_is_told_once(code: int, digit: str) -> None:
    assert feed_all(DtmfReceiver(), press(code, START, 800)) == [Digit(digit, 100)]


def test_a_press_ends_with_its_first_end_packet() -> None:
    receiver = DtmfReceiver()
    *running, end, _, _ = press(5, START, 800)
    assert feed_all(receiver, running) == []
    assert receiver.pressing
    assert receiver.feed(*end, 9) == [Digit("5", 100)]
    assert not receiver.pressing


def test_opus_counts_in_its_own_clock() -> None:
    assert feed_all(DtmfReceiver(48_000), press(1, START, 4800, step=960)) == [Digit("1", 100)]


def test_two_presses_of_one_key_are_two_digits() -> None:
    packets = press(7, START, 800) + press(7, START + 1600, 800)
    assert feed_all(DtmfReceiver(), packets) == [Digit("7", 100)] * 2


@given(st.lists(st.sampled_from(range(16)), min_size=1, max_size=6), st.data())
def test_digits_survive_loss_duplication_and_late_repeats(codes: list[int], data: st.DataObject) -> None:
    packets = []
    before: list[tuple[bytes, int, bool]] = []
    for i, code in enumerate(codes):
        sent = press(code, START + 2000 * i, 800)
        kept = data.draw(st.lists(st.sampled_from(range(len(sent))), min_size=1, max_size=12))
        packets += [sent[k] for k in sorted(kept)]
        if before:
            packets += data.draw(st.lists(st.sampled_from(before), max_size=3))
        before = sent
    receiver = DtmfReceiver()
    told = feed_all(receiver, packets) + receiver.expire(len(packets) + SILENT_TICKS)
    assert "".join(d.digit for d in told) == "".join(DIGITS[c] for c in codes)


def test_a_press_without_end_is_told_when_the_next_begins() -> None:
    receiver = DtmfReceiver()
    receiver.feed(event(1, 480), START, True, 0)
    assert receiver.feed(event(2, 160), 2000, True, 3) == [Digit("1", 60)]


def test_one_packet_can_end_two_presses() -> None:
    receiver = DtmfReceiver()
    receiver.feed(event(1, 480), START, True, 0)
    assert receiver.feed(event(2, 800, end=True), 2000, False, 3) == [Digit("1", 60), Digit("2", 100)]


def test_a_press_without_end_expires() -> None:
    receiver = DtmfReceiver()
    receiver.feed(event(1, 480), START, True, 10)
    assert receiver.expire(10 + SILENT_TICKS - 1) == []
    assert receiver.expire(10 + SILENT_TICKS) == [Digit("1", 60)]
    assert receiver.expire(10 + 2 * SILENT_TICKS) == []
    assert receiver.feed(event(1, 640, end=True), START, False, 40) == []


def test_a_press_longer_than_a_packet_can_say_is_one_digit() -> None:
    """RFC 4733 section 2.5.1.3."""
    segments = [(event(3, u), START, u == 160) for u in (160, 60_000, 0xFFFF)]
    segments += [(event(3, u), START + 0xFFFF, False) for u in (160, 0xFFFF)]
    segments += [(event(3, 4465, end=True), START + 2 * 0xFFFF, False)] * 3
    assert feed_all(DtmfReceiver(), segments) == [Digit("3", (2 * 0xFFFF + 4465) // 8)]


def test_events_packed_in_one_packet_follow_each_other() -> None:
    receiver = DtmfReceiver()
    packed = event(1, 400, end=True) + event(2, 800, end=True)
    assert receiver.feed(packed, START, True, 0) == [Digit("1", 50), Digit("2", 100)]
    assert receiver.feed(packed, START, True, 1) == []


def test_a_clock_set_far_back_is_a_new_press() -> None:
    receiver = DtmfReceiver()
    feed_all(receiver, press(1, 3_000_000, 800))
    assert feed_all(receiver, press(2, 1000, 800)) == [Digit("2", 100)]


def test_other_events_are_counted_and_end_nothing() -> None:
    receiver = DtmfReceiver()
    receiver.feed(event(1, 160), START, True, 0)
    assert receiver.feed(event(16, 160, end=True), START + 1600, True, 1) == []
    assert receiver.ignored == 1
    assert receiver.feed(event(1, 320, end=True), START, False, 2) == [Digit("1", 40)]


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x01\x80\x00", b"\x01\x80\x00\xa0\x00"])
def test_malformed_payloads_are_counted(payload: bytes) -> None:
    receiver = DtmfReceiver()
    assert receiver.feed(payload, START, True, 0) == []
    assert receiver.malformed == 1


def test_reset_ends_the_running_press_and_forgets_the_clock() -> None:
    receiver = DtmfReceiver()
    assert receiver.reset() == []
    receiver.feed(event(1, 480), START, True, 0)
    assert receiver.reset() == [Digit("1", 60)]
    assert receiver.reset() == []
    assert feed_all(receiver, press(2, START - 100, 800)) == [Digit("2", 100)]


@given(st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 0xFFFF_FFFF), st.booleans()), max_size=30))
def test_no_payload_raises(packets: list[tuple[bytes, int, bool]]) -> None:
    receiver = DtmfReceiver()
    told = feed_all(receiver, packets) + receiver.expire(1000)
    assert len(told) <= sum(len(p) // 4 for p, _, _ in packets)
    assert all(d.digit in DIGITS and d.duration_ms >= 0 for d in told)
    assert not receiver.pressing


def test_order_of_end_repeats_and_next_start_does_not_matter() -> None:
    first, second = press(1, START, 800), press(2, START + 1000, 800)
    mixed = list(itertools.chain(first[:-2], second[:1], first[-2:], second[1:]))
    assert feed_all(DtmfReceiver(), mixed) == [Digit("1", 100), Digit("2", 100)]
