import numpy as np

from server.loadtest.load import HOLD_EVERY_S, HOLD_FROM_S
from server.loadtest.uplink import Packets, Uplink

SLOTS_PER_S = 500
FROM = round(HOLD_FROM_S * SLOTS_PER_S)
EVERY = round(HOLD_EVERY_S * SLOTS_PER_S)


def late(uplink: Uplink, until: int, open_at: int = 0) -> dict[tuple[int, int], int]:
    """(tick, row) → by how many slots it arrived late, of packets sent every tenth slot by three rows."""
    uplink.open(open_at)
    found: dict[tuple[int, int], int] = {}
    for now in range(until):
        if now % 10 == 0 and now < until - 200:
            uplink.put(Packets(0, now, np.arange(3)), now)
        for packets in uplink.arrived(now):
            found |= {(packets.tick, row): now - packets.tick for row in packets.rows.tolist()}
    return found


def test_each_packet_is_late_by_something_of_its_own_and_none_is_lost() -> None:
    found = late(Uplink(25, 0, SLOTS_PER_S), 5000)
    assert len(found) == 480 * 3
    assert set(found.values()) == set(range(26))
    assert abs(sum(found.values()) / len(found) - 12.5) < 1
    assert found == late(Uplink(25, 0, SLOTS_PER_S), 5000)


def test_what_is_held_arrives_at_once_again_and_again() -> None:
    found = late(Uplink(0, 150, SLOTS_PER_S), FROM + EVERY + 500, open_at=5)
    slow = {tick: slots for (tick, _), slots in found.items() if slots}
    begins = 5 + FROM
    assert slow == {
        tick: start + 150 - tick
        for start in (begins, begins + EVERY)
        for tick in range(-(-start // 10) * 10, start + 150, 10)
    }


def test_nothing_is_held_outside_a_window() -> None:
    uplink = Uplink(0, 150, SLOTS_PER_S)
    uplink.put(Packets(3, 7, np.arange(2)), FROM)
    (packets,) = uplink.arrived(FROM)
    assert (packets.slot, packets.tick, packets.rows.tolist()) == (3, 7, [0, 1])
