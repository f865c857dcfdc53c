"""The table of legs and the way from a datagram to its row."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mixer.legs import Demux, Legs
from mixer.protocol import AddLeg, Address, MediaFormat, OutgoingStream

COMMAND = AddLeg(1, "a", 0, Address("127.0.0.1", 4000), MediaFormat("pcmu", 0, 8000), OutgoingStream(1, 2, 3))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=150))
def test_rows_are_stable_reused_lowest_first_and_never_shared(steps: list[tuple[bool, int]]) -> None:
    legs, expected = Legs(2), dict[str, int]()
    for number, (adds, choice) in enumerate(steps):
        if adds or not expected:
            row = legs.add(replace(COMMAND, call_id=f"c{number}"), 0, number + 1, 0, 0)
            assert row == min(set(range(len(expected) + 1)) - set(expected.values()))
            expected[f"c{number}"] = row
        else:
            gone = sorted(expected)[choice % len(expected)]
            legs.remove(expected.pop(gone))
        assert legs.row_of == expected
        assert legs.n == max(expected.values(), default=-1) + 1
        assert legs.capacity >= legs.n
        for call_id, row in expected.items():
            assert int(legs.source[row]) == int(call_id[1:]) + 1


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), max_size=20, unique=True),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 8)), min_size=1, max_size=30),
)
def test_demux_finds_exactly_the_leg_of_each_datagram(
    present: list[tuple[int, int]], datagrams: list[tuple[int, int]]
) -> None:
    """Sockets 0 and 1 are shared, 2 and 3 are one leg's; sockets beyond have no leg and never had."""
    legs, shared = Legs(), {0, 1}
    rows: dict[tuple[int, int], int] = {}
    for number, (socket, source) in enumerate(present):
        if socket in shared or not any(at == socket for at, _ in rows):
            rows[socket, source] = legs.add(replace(COMMAND, call_id=str(number)), socket, source, 0, 0)
    demux = Demux()
    demux.build(legs, shared, int(legs.socket[: legs.n].max(initial=-1)) + 1)
    found = demux.rows(
        np.array([socket for socket, _ in datagrams], np.int32), np.array([s for _, s in datagrams], np.uint64)
    )
    alone = {socket: row for (socket, _), row in rows.items() if socket not in shared}
    assert found.tolist() == [
        rows.get((socket, source), -1) if socket in shared else alone.get(socket, -1) for socket, source in datagrams
    ]
