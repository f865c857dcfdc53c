import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixer.receive.ring import SlotRing


def put(ring: SlotRing, rows: list[int], slots: list[int], values: list[int]) -> list[bool]:
    payload = np.repeat(np.array(values, np.uint8)[:, None], 4, axis=1)
    return ring.put(np.array(rows), np.array(slots), payload, np.full(len(rows), 4, np.int32)).tolist()


def test_first_of_a_slot_is_kept_in_earlier_batches() -> None:
    ring = SlotRing(2, 8, 4)
    assert put(ring, [0, 1, 0], [3, 3, 4], [1, 2, 3]) == [True] * 3
    assert put(ring, [0, 1], [3, 5], [9, 9]) == [False, True]
    assert ring.read(2, np.array([3, 3]))[:, 0].tolist() == [1, 2]
    assert ring.has(2, np.array([4, 4])).tolist() == [True, False]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=40))
def test_one_packet_a_slot_is_stored_and_the_others_are_told_as_duplicates(arrivals: list[tuple[int, int]]) -> None:
    ring, held = SlotRing(4, 8, 4), set[tuple[int, int]]()
    for at in range(0, len(arrivals), 7):
        batch = arrivals[at : at + 7]
        stored = put(ring, [row for row, _ in batch], [slot for _, slot in batch], [7] * len(batch))
        assert sum(stored) == len(set(batch) - held)
        held |= set(batch)
    for row in range(4):
        for slot in range(8):
            assert ring.arrived(row, slot, 4) == ((row, slot) in held)


def test_pieces_fill_a_slot_and_the_rest_is_silence() -> None:
    ring = SlotRing(1, 8, 4)
    ring.put_piece(0, 2, 1, np.array([5, 6], np.uint8), silence=9)
    assert ring.read(1, np.array([2])).tolist() == [[9, 5, 6, 9]]
    assert not ring.arrived(0, 2, 4)
    ring.put_piece(0, 2, 0, np.array([1], np.uint8), silence=9)
    ring.put_piece(0, 2, 3, np.array([8], np.uint8), silence=9)
    assert ring.read(1, np.array([2])).tolist() == [[1, 5, 6, 8]]
    assert ring.arrived(0, 2, 4)


def test_growing_keeps_what_waits_and_clearing_forgets_one_leg() -> None:
    ring = SlotRing(2, 8, 4)
    put(ring, [0, 1], [3, 9], [1, 2])
    ring.grow(4)
    assert ring.read(4, np.array([3, 9, 0, 0]))[:2, 0].tolist() == [1, 2]
    ring.clear(0)
    assert ring.has(4, np.array([3, 9, -1, 5])).tolist()[:2] == [False, True]
