import random

import numpy as np

from server.caller.codecs import Pcm, codec
from server.caller.timeline import Reorder, Timeline
from server.caller.wire import RtpPacket

PCMU = codec("pcmu")


def packet(sequence: int) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, (sequence * 160) & 0xFFFFFFFF, 7, b"")


def pushed(sequences: list[int]) -> tuple[list[int], Reorder]:
    reorder = Reorder()
    out = [got.sequence for sequence in sequences for got, _ in reorder.push(packet(sequence), 0.0)]
    return out + [got.sequence for got, _ in reorder.flush()], reorder


def test_packets_come_back_in_order_across_the_wrap() -> None:
    mixed = [65500] + [65500 + x for i in range(1, 99, 3) for x in (i + 2, i, i + 1)]
    out, reorder = pushed(mixed)
    assert out == [sequence & 0xFFFF for sequence in range(65500, 65600)]
    assert (reorder.counts.received, reorder.counts.lost) == (100, 0)


def test_lost_duplicate_and_late_packets_are_counted_apart() -> None:
    out, reorder = pushed([1, 2, 2, 4, 5, *range(6, 20), 3, 4])
    assert out == [1, 2, *range(4, 20)]
    counts = reorder.counts
    assert (counts.received, counts.lost, counts.late, counts.duplicates) == (19, 0, 1, 2)
    out, reorder = pushed([10, 11, 14, 15])
    assert out == [10, 11, 14, 15]
    assert (reorder.counts.received, reorder.counts.lost) == (4, 2)


def test_nothing_is_given_twice_and_nothing_out_of_order() -> None:
    rng = random.Random(5)
    for _ in range(20):
        kept = [sequence for sequence in range(2000, 2300) if rng.random() > 0.1]
        doubled = [sequence for sequence in kept for _ in range(rng.choice([1, 1, 1, 2]))]
        out, _ = pushed(sorted(doubled, key=lambda sequence: sequence + rng.random() * 12))
        assert out == sorted(set(out))
        assert len(out) > 250


def block(value: int) -> Pcm:
    return np.full(160, value, np.int16)


def test_sound_stands_where_its_timestamp_says() -> None:
    line = Timeline(PCMU)
    line.place(2**32 - 160, block(1), 10.02)
    line.place(0, block(2), 10.03)  # 10 ms sooner than the first: the line starts at 10.01
    line.place(480, block(3), 10.09)
    sound = line.sound()
    assert sound.pcm.reshape(-1, 160)[:, 0].tolist() == [1, 2, 0, 0, 3]
    assert abs(sound.starts_at_s - 10.01) < 1e-9
    assert sound.index_at(10.03) == 160
    line.place(640, block(4), 10.11)
    assert line.sound().pcm[-1] == 4
    assert len(line.sound().pcm) == 960


def test_overlapping_sound_is_cut_and_covered_sound_ignored() -> None:
    line = Timeline(PCMU)
    line.place(0, block(1), 0.0)
    line.place(80, block(2), 0.01)
    line.place(0, block(3), 0.02)
    assert line.sound().pcm.tolist() == [1] * 160 + [2] * 80


def test_a_jump_of_the_timestamp_goes_by_arrival() -> None:
    line = Timeline(PCMU)
    line.place(1000, block(1), 5.0)
    line.place(3_000_000_000, block(2), 5.04)
    line.place(3_000_000_160, block(3), 5.06)
    assert line.sound().pcm.reshape(-1, 160)[:, 0].tolist() == [1, 0, 2, 3]


def test_what_is_taken_is_forgotten_but_keeps_its_place() -> None:
    line = Timeline(PCMU)
    line.place(0, block(1), 1.0)
    assert len(line.take().pcm) == 160
    line.place(320, block(2), 1.04)
    sound = line.take()
    assert sound.pcm.reshape(-1, 160)[:, 0].tolist() == [0, 2]
    assert abs(sound.starts_at_s - 1.02) < 1e-9
    assert len(line.take().pcm) == 0
