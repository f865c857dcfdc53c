"""The plain batch, in which every packet is of a stream that runs, in time and no leap: `Playout.place`, compiled."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mixer import kernels

if TYPE_CHECKING:
    from mixer.receive.playout import Playout

Rows = NDArray[np.int64]


def place_plain(
    playout: "Playout", rows: Rows, timestamp: NDArray[np.uint32], age_ns: NDArray[np.int64]
) -> tuple[Rows, Rows] | None:
    """Do what `Playout.place` does, with its arguments.

    None, and nothing was done, where a packet needs a closer look or nothing is compiled.
    """
    loops = kernels.loops
    if loops is None:
        return None
    slot, offset, wait_ns, margin_ns, into = np.empty((5, len(rows)), np.int64)
    position = playout.started, playout.play_ts, playout.play, playout.phase
    sizes = playout.slot_ts, playout.tick_ts, playout.horizon
    if not loops.place(rows, timestamp, age_ns, *sizes, *position, slot, offset, wait_ns, margin_ns, into):
        return None
    playout.arrivals.note(rows, wait_ns, margin_ns)
    loops.note_into(rows, into, playout.least_into, playout.most_into)
    return slot, offset
