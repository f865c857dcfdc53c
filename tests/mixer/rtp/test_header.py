"""The batch parser against one that reads byte by byte, on sound, random and mutated headers."""

from dataclasses import dataclass

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mixer.rtp.header import DropReason, Headers, parse, write

STRIDE = 256


@dataclass(frozen=True)
class Expected:
    ok: bool = False
    is_rtcp: bool = False
    reason: DropReason = DropReason.NONE
    payload_type: int = 0
    marker: bool = False
    sequence: int = 0
    timestamp: int = 0
    ssrc: int = 0
    offset: int = 0
    payload_length: int = 0


def reference(datagram: bytes) -> Expected:
    """RFC 3550 section 5.1 as plainly as it can be said."""
    if len(datagram) < 8:
        return Expected(reason=DropReason.TOO_SHORT)
    if len(datagram) > STRIDE:
        return Expected(reason=DropReason.TOO_LONG)
    if datagram[0] >> 6 != 2:
        return Expected(reason=DropReason.BAD_VERSION)
    if 192 <= datagram[1] <= 223:
        return Expected(is_rtcp=True)
    if len(datagram) < 12:
        return Expected(reason=DropReason.TOO_SHORT)
    offset = 12
    for _ in range(datagram[0] & 15):
        offset += 4
    if offset > len(datagram):
        return Expected(reason=DropReason.BAD_CSRC)
    if datagram[0] & 0x10:
        if offset + 4 > len(datagram):
            return Expected(reason=DropReason.BAD_EXTENSION)
        offset += 4 + 4 * int.from_bytes(datagram[offset + 2 : offset + 4])
        if offset > len(datagram):
            return Expected(reason=DropReason.BAD_EXTENSION)
    end = len(datagram)
    if datagram[0] & 0x20:
        if datagram[-1] == 0 or end - datagram[-1] < offset:
            return Expected(reason=DropReason.BAD_PADDING)
        end -= datagram[-1]
    return Expected(
        ok=end > offset,
        reason=DropReason.NONE if end > offset else DropReason.EMPTY,
        payload_type=datagram[1] & 0x7F,
        marker=datagram[1] >= 0x80,
        sequence=int.from_bytes(datagram[2:4]),
        timestamp=int.from_bytes(datagram[4:8]),
        ssrc=int.from_bytes(datagram[8:12]),
        offset=offset,
        payload_length=end - offset,
    )


def parse_all(datagrams: list[bytes], out: Headers | None = None) -> list[Expected]:
    # 0xFF where no datagram is, so that whoever looks past its end sees lengths and paddings that are wrong.
    data = np.full((max(len(datagrams), 1), STRIDE), 0xFF, np.uint8)
    length = np.zeros(max(len(datagrams), 1), np.int32)
    for row, datagram in enumerate(datagrams):
        held = datagram[:STRIDE]
        data[row, : len(held)] = np.frombuffer(held, np.uint8)
        length[row] = len(datagram)
    headers = out if out is not None else Headers(len(data))
    parse(data, length, len(datagrams), headers)
    return [row_of(headers, row) for row in range(len(datagrams))]


def row_of(headers: Headers, row: int) -> Expected:
    return Expected(
        bool(headers.ok[row]),
        bool(headers.is_rtcp[row]),
        DropReason(int(headers.reason[row])),
        int(headers.payload_type[row]),
        bool(headers.marker[row]),
        int(headers.sequence[row]),
        int(headers.timestamp[row]),
        int(headers.ssrc[row]),
        int(headers.offset[row]),
        int(headers.payload_length[row]),
    )


@st.composite
def rtp(draw: st.DrawFn) -> bytes:
    """A sound RTP packet, with anything the fixed header allows."""
    csrcs = draw(st.integers(0, 15)) if draw(st.booleans()) else 0
    extension = draw(st.none() | st.integers(0, 10))
    padding = draw(st.none() | st.integers(1, 20))
    first = 0x80 | csrcs | (0x10 if extension is not None else 0) | (0x20 if padding is not None else 0)
    packet = bytes((first, draw(st.integers(0, 255)))) + draw(st.binary(min_size=10, max_size=10))
    packet += bytes(4 * csrcs)
    if extension is not None:
        packet += b"\xbe\xde" + extension.to_bytes(2) + b"\x5a" * (4 * extension)
    packet += draw(st.binary(max_size=40))
    if padding is not None:
        packet += bytes(padding - 1) + bytes((padding,))
    return packet


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sound packet with some bytes changed, its end cut off or something put after it."""
    packet = bytearray(draw(rtp()))
    for _ in range(draw(st.integers(1, 4))):
        packet[draw(st.integers(0, len(packet) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(packet)))
    return bytes(packet[:cut]) + draw(st.binary(max_size=8))


datagrams = st.lists(
    rtp() | mutated() | st.binary(max_size=80) | st.binary(min_size=STRIDE, max_size=STRIDE + 2), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(datagrams)
def test_batch_parser_agrees_with_byte_by_byte_parser(batch: list[bytes]) -> None:
    assert parse_all(batch) == [reference(datagram) for datagram in batch]


def test_thousands_of_mutated_headers_agree() -> None:
    rng = np.random.default_rng(3550)
    first = rng.choice(np.array([0x80, 0x90, 0xA0, 0xB0, 0x83, 0x9F, 0xBF, 0x40, 0xC0], np.uint8), 20_000)
    second = rng.integers(0, 256, 20_000, np.uint8)
    batch = []
    for a, b in zip(first, second, strict=True):
        rest = rng.integers(0, 256, int(rng.integers(0, 90)), np.uint8)
        rest[rng.random(len(rest)) < 0.5] = 0  # small extension lengths and paddings, so that many are sound
        batch.append(bytes((a, b)) + rest.tobytes())
    found = parse_all(batch)
    assert found == [reference(datagram) for datagram in batch]
    assert {e.reason for e in found} == set(DropReason) - {DropReason.TOO_LONG}
    assert sum(e.ok for e in found) > 1000
    assert sum(e.is_rtcp for e in found) > 1000


@example(bytes((0x80, 0)) + bytes(10))
@given(st.binary(max_size=80))
@settings(deadline=None)
def test_a_row_forgets_the_datagram_it_held_before(datagram: bytes) -> None:
    out = Headers(1)
    parse_all([bytes((0xB1, 0xFF)) + b"\xff" * 14 + bytes((0, 0, 0, 1, 1, 2, 3, 4, 9, 9, 9, 1))], out)
    assert parse_all([datagram], out) == [reference(datagram)]


def test_rtcp_is_told_by_its_second_byte_alone() -> None:
    batch = [bytes((0x80, second)) + bytes(18) for second in range(256)]
    found = parse_all(batch)
    assert [i for i, e in enumerate(found) if e.is_rtcp] == list(range(192, 224))
    assert [i for i, e in enumerate(found) if e.ok] == [*range(192), *range(224, 256)]


def test_a_keep_alive_keeps_its_header() -> None:
    (found,) = parse_all([bytes.fromhex("80 00 0102 03040506 0708090a")])
    assert found.reason is DropReason.EMPTY
    assert not found.ok
    assert (found.sequence, found.timestamp, found.ssrc) == (0x0102, 0x03040506, 0x0708090A)


def test_a_negative_length_is_too_short() -> None:
    out = Headers(1)
    parse(np.full((1, STRIDE), 0x80, np.uint8), np.array([-1], np.int32), 1, out)
    assert DropReason(int(out.reason[0])) is DropReason.TOO_SHORT


def test_rows_past_n_are_left_alone() -> None:
    out = Headers(2)
    out.sequence[1] = 77
    data = np.zeros((2, STRIDE), np.uint8)
    data[:, 0] = 0x80
    parse(data, np.array([172, 172], np.int32), 1, out)
    assert out.ok.tolist() == [True, False]
    assert out.sequence[1] == 77


u7, u16, u32 = st.integers(0, 127), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)


@given(st.lists(st.tuples(u7, st.booleans(), u16, u32, u32), min_size=1, max_size=8))
@settings(deadline=None)
def test_written_headers_are_read_back(fields: list[tuple[int, bool, int, int, int]]) -> None:
    payload_type, marker, sequence, timestamp, ssrc = zip(*fields, strict=True)
    rows = np.full((len(fields), 12), 0xEE, np.uint8)
    write(
        rows,
        np.array(payload_type, np.uint8),
        np.array(marker, np.bool_),
        np.array(sequence, np.int64),
        np.array(timestamp, np.int64),
        np.array(ssrc, np.int64),
    )
    for row, (pt, m, seq, ts, source) in zip(rows, fields, strict=True):
        expected = bytes((0x80, pt | (0x80 if m else 0))) + seq.to_bytes(2) + ts.to_bytes(4) + source.to_bytes(4)
        assert row.tobytes() == expected


def test_written_numbers_wrap() -> None:
    rows = np.zeros((1, 12), np.uint8)
    write(
        rows,
        np.array([8], np.uint8),
        np.array([True]),
        np.array([0x1_0002], np.int64),
        np.array([0x1_0000_0003], np.int64),
        np.array([4], np.int64),
    )
    assert rows.tobytes() == bytes.fromhex("8088 0002 00000003 00000004")
