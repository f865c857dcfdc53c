"""Datagrams on their way in, up to what is known of their legs' streams: compiled as by numpy."""

import struct
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer import clock
from mixer.kernels import arriving
from mixer.protocol import Report
from mixer.receive import arrivals, playout
from mixer.rtp import header, reception
from mixer.rtp.header import Headers, parse
from mixer.rtp.reception import MAX_DROPOUT, MAX_MISORDER, Reception
from mixer.transports.base import DATAGRAM_BYTES, Batch
from mixer.transports.libc import CONTROL, MSG_TRUNC, SCM_TIMESTAMPNS
from mixer.transports.udp import _Receiver
from tests.mixer.kernels.twins import Columns, Twins, assert_same, columns
from tests.support.conference import Caller, VirtualConference, tone

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
FIRST = st.one_of(st.just(0x80), st.just(0x80), st.integers(0x80, 0xBF), st.integers(0, 255))
SECOND = st.one_of(st.sampled_from([0, 8, 96, 0x80, 191, 192, 200, 223, 224]), st.integers(0, 255))
SIZE = st.one_of(st.integers(12, 70), st.integers(-3, 13), INT32)
DATAGRAM = st.tuples(FIRST, SECOND, SIZE, st.binary(min_size=62, max_size=62))


@given(batches=st.lists(st.lists(DATAGRAM, max_size=8), min_size=1, max_size=3), stride=st.sampled_from([12, 13, 64]))
@settings(max_examples=300, deadline=None)
def test_whatever_bytes_come_the_same_headers_are_read(
    twins: Twins, batches: list[list[tuple[int, int, int, bytes]]], stride: int
) -> None:
    def read() -> Columns:
        headers = Headers(8)  # one for all batches, as rows must not keep what they held before
        for batch in batches:
            data, length = np.full((8, stride), 0x81, np.uint8), np.full(8, 99, np.int32)
            for i, (first, second, size, rest) in enumerate(batch):
                data[i] = np.frombuffer(bytes([first, second]) + rest, np.uint8)[:stride]
                length[i] = size
            parse(data, length, len(batch), headers)
        return columns(headers)

    assert_same(*twins.run(read, "parse"))


@pytest.mark.parametrize("first", [0x80, 0x00, 0xC0, 0x90, 0xA0, 0x83, 0xBF])
@pytest.mark.parametrize("size", [-1, 0, 7, 8, 11, 12, 13, 40, 64, 65, (1 << 31) - 1, -(1 << 31)])
def test_every_kind_of_every_size_is_told_the_same(twins: Twins, first: int, size: int) -> None:
    def read() -> Columns:
        headers, data = Headers(256), np.full((256, 64), 1, np.uint8)
        data[:, 0], data[:, 1] = first, np.arange(256)
        parse(data, np.full(256, size, np.int32), 256, headers)
        return columns(headers)

    assert_same(*twins.run(read, "parse"))


@given(st.lists(st.tuples(SECOND.filter(lambda kind: not 192 <= kind <= 223), st.binary(min_size=23, max_size=23))))
@settings(max_examples=50, deadline=None)
def test_a_batch_of_nothing_but_plain_rtp_is_read_the_same(twins: Twins, datagrams: list[tuple[int, bytes]]) -> None:
    def read() -> Columns:
        n = len(datagrams)
        headers, data = Headers(n), np.zeros((n, 64), np.uint8)
        for i, (second, rest) in enumerate(datagrams):
            data[i, :25] = np.frombuffer(bytes([0x80, second]) + rest, np.uint8)
        parse(data, np.full(n, 25, np.int32), n, headers)
        assert headers.ok.all()
        return columns(headers)

    assert_same(*twins.run(read, "parse"))


NOW_NS, WALL_NS = 10**15, 1_800_000_000 * 10**9
MESSAGE = st.tuples(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, DATAGRAM_BYTES),
    st.sampled_from([0, MSG_TRUNC, MSG_TRUNC | 8, 8, -1]),
    st.sampled_from([CONTROL.itemsize, 0, CONTROL.itemsize - 8]),
    st.sampled_from([SCM_TIMESTAMPNS, 0, 1]),
    st.sampled_from([-3_000_000_000, -1_000_000_001, -1_000_000_000, -999_999_999, -7_000_000, 0, 1, 2_000_000_000]),
)


@given(st.lists(MESSAGE, max_size=6))
@settings(max_examples=100, deadline=None)
def test_what_the_kernel_wrote_becomes_the_same_columns(
    twins: Twins, messages: list[tuple[int, int, int, int, int, int]]
) -> None:
    def finish() -> Columns:
        batch = Batch(8)
        receiver = _Receiver(batch)
        for i, (key, size, flags, control_bytes, kind, age_ns) in enumerate(messages):
            receiver.address["key"][i] = key
            receiver.messages["bytes"][i], receiver.messages["flags"][i] = size, flags
            receiver.messages["control_bytes"][i], receiver.control["type"][i] = control_bytes, kind
            stamp_ns = WALL_NS + age_ns
            receiver.control["seconds"][i] = stamp_ns // 10**9
            receiver.control["nanoseconds"][i] = stamp_ns % 10**9
        batch.n = len(messages)
        with (
            patch.object(clock, "monotonic_ns", return_value=NOW_NS),
            patch.object(clock, "realtime_ns", return_value=WALL_NS),
        ):
            receiver.finish(NOW_NS)
        return columns(batch)

    compiled, by_numpy = twins.run(finish, "finish")
    assert_same(compiled, by_numpy)


# ---- whose packets they are

WHO = st.integers(0, 5)
KIND = st.sampled_from([0, 0, 0, 8, 13, 101, 72, 127])
INJECTED = st.tuples(
    WHO,
    st.sampled_from(["own", "own", "own", "other", "nobody", "none"]),
    KIND,
    st.sampled_from([0, 0, 0, 7, 0xFFFF_FFFF]),
    st.sampled_from(["plain", "plain", "empty", "padded", "short", "rtcp", "junk"]),
)


def datagram(caller: Caller, kind: int, ssrc_offset: int, shape: str) -> bytes:
    """One of a caller's stream, or nearly."""
    caller.ssrc = (0x1000 + ssrc_offset) & 0xFFFF_FFFF
    header, payload = bytearray(caller.header(kind)), bytes(range(160)) if kind != 101 else b"\x05\x80\x00\xa0"
    match shape:
        case "empty":
            return bytes(header)
        case "padded":
            header[0] |= 0x20
            return bytes(header) + payload + b"\x00\x00\x00\x04"
        case "short":
            return bytes(header[:7])
        case "rtcp":
            return struct.pack("!BBHI", 0x80, 201, 1, caller.ssrc)
        case "junk":
            return b"\x00" * 40
    return bytes(header) + payload


@given(st.lists(st.lists(INJECTED, max_size=8), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_whoever_sends_whatever_legs_know_the_same_of_it(
    twins: Twins, ticks: list[list[tuple[int, str, int, int, str]]]
) -> None:
    def take() -> tuple[Columns, dict[str, int], list[Report], list[bytes]]:
        conference = VirtualConference()
        callers = [conference.add("pcmu", dtmf=101), conference.add("pcma", dtmf=101), conference.add("pcmu")]
        callers.append(conference.add("pcmu", receives=False, single=True, ssrc=0x1000))
        callers.append(conference.add("pcmu", known=False))
        gone = conference.add("pcmu")
        callers.append(conference.add("pcmu", ssrc=0x1000))
        conference.mixer.remove(gone.call_id, bye=False)
        for injected in ticks:
            conference.mixer.legs.lost[:2] = True
            for who, source, kind, ssrc_offset, shape in injected:
                sources = {"own": None, "other": callers[0].key, "nobody": 99, "none": 0}
                conference.inject(callers[who], datagram(callers[who], kind, ssrc_offset, shape), sources[source])
            conference.run(1)
        mixer = conference.mixer
        dropped = {reason: count for reason, count in mixer.intake.dropped.items() if count}
        heard = [packet for caller in conference.callers.values() for packet in caller.got]
        return columns(mixer.legs, mixer.legs.n), dropped, conference.reports, heard

    compiled, by_numpy = twins.run(take)
    assert_same(compiled[0], by_numpy[0])
    assert compiled[1:] == by_numpy[1:]


def test_a_conference_of_known_streams_is_counted_by_the_loops(twins: Twins) -> None:
    def run() -> Columns:
        conference = VirtualConference()
        for _ in range(3):
            conference.add("pcmu", tone(400, 1, 8000))
        conference.run(20)
        assert conference.mixer.legs.in_packets[:3].min() >= 19
        return columns(conference.mixer.legs, 3)

    assert_same(*twins.run(run, "recognise", "live_on", "count"))


# ---- what was received of streams

RATES = np.array([8000, 48000, 8000, 16000])


LEAPS = (MAX_DROPOUT + 1, 30_000, -MAX_MISORDER - 1, -30_000)


def numbers_of(random: np.random.Generator, highest: int) -> list[int]:
    """Extended sequence numbers of a leg's packets in one batch: reordered and repeated, or with a leap, never both."""
    if random.random() < 0.3:
        steps = random.integers(1, 3, random.integers(1, 4))
        steps[random.integers(len(steps))] = random.choice(LEAPS)
        return [int(number) for number in highest + np.cumsum(steps)]
    return [highest + int(number) for number in random.integers(-40, 50, random.integers(0, 5))]


def batch_of(
    random: np.random.Generator, tick: int, highest: list[int], stamps: list[int]
) -> tuple[NDArray[np.int64], ...]:
    """rows, sequence, timestamp, arrival_ns of a batch; moves `highest` and `stamps`, by leg, on.

    Legs' packets are mixed. Their clocks stand still, jump and go round.
    """
    numbers = [numbers_of(random, before) for before in highest]
    rows = random.permutation(np.repeat(np.arange(len(highest)), [len(of_leg) for of_leg in numbers]))
    packets = np.zeros((4, len(rows)), np.int64)
    for i, leg in enumerate(rows.tolist()):
        number = numbers[leg].pop(0)
        highest[leg] = number if abs(number - highest[leg]) > MAX_MISORDER else max(highest[leg], number)
        stamps[leg] += int(random.choice([0, 160, 160, 160, 960, 1 << 31, 100_000]))
        arrival_ns = tick * 20_000_000 + int(random.integers(-30_000_000, 30_000_000))
        packets[:, i] = leg, number & 0xFFFF, stamps[leg] & 0xFFFF_FFFF, arrival_ns
    return tuple(packets)


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_streams_with_loss_leaps_and_jitter_are_counted_the_same(twins: Twins, seed: int) -> None:
    def count() -> Columns:
        random, figures = np.random.default_rng(seed), Reception(5)
        highest = [int(number) for number in random.integers(0, 0x10000, 4)]
        stamps = [int(stamp) for stamp in random.integers(0, 1 << 32, 4)]
        begin = np.arange(4)
        for tick in range(15):
            if len(begin):
                sequence, timestamp = np.array(highest)[begin] & 0xFFFF, np.array(stamps)[begin] & 0xFFFF_FFFF
                arrival_ns = np.full(len(begin), tick * 20_000_000)
                figures.update(begin, sequence.astype(np.int32), timestamp, arrival_ns, RATES[begin])
            rows, sequence, timestamp, arrival_ns = batch_of(random, tick, highest, stamps)
            figures.update(rows, sequence.astype(np.int32), timestamp, arrival_ns, RATES[rows])
            begin = np.flatnonzero(random.random(4) < 0.05)
            figures.reset(begin)
        return columns(figures)

    assert_same(*twins.run(count, "count"))


def test_after_a_leap_behind_a_reordered_packet_the_highest_number_is_off_by_no_more_than_that(twins: Twins) -> None:
    """The one difference: compiled, a leap is always one from the highest number."""
    numbers = [1000, 1001, 981, 8000, 8001, 8002]

    def count() -> Columns:
        figures, n = Reception(1), len(numbers)
        nothing = np.zeros(n, np.int64)
        figures.update(nothing, np.array(numbers, np.int32), nothing, nothing, np.full(n, 8000))
        return columns(figures)

    compiled, by_numpy = twins.run(count, "count")
    assert compiled["_highest"][0] + compiled["_leapt"][0] == 8002
    assert compiled["_highest"][0] == 1004
    assert abs(by_numpy["_highest"][0] - compiled["_highest"][0]) <= 20
    assert compiled["received"] == by_numpy["received"] == len(numbers)


def test_loops_and_numpy_have_the_same_constants() -> None:
    decided = {
        header: ("FIXED_BYTES",),
        reception: ("MAX_DROPOUT", "MAX_MISORDER", "MAX_TRANSIT_CHANGE_S", "KEEP"),
        arrivals: ("SMOOTHING",),
        playout: ("TICK_NS",),
    }
    pairs = [(getattr(arriving, name), getattr(module, name)) for module, names in decided.items() for name in names]
    assert all(ours == theirs for ours, theirs in pairs), pairs
