"""When each leg's packets are played: numbers only, no sound.

Media time of a leg is cut into slots (20 ms, or 10 ms for Opus); `play` is the slot the next tick plays. A packet
that arrives in slot *s* waits for `(s - play)` slots and the rest of the tick it came in: its *margin*. The
first packet sets `play` so that the margin is the smallest that is at least the leg's aim. A packet that comes too
late makes the leg wait (`stall`) for as long as that packet lacked; when for two seconds every packet had at least
a whole tick too much, the leg skips ahead again, in a silent slot if one comes.

A stream whose timestamps jump (a restarted encoder, a sender that stopped its clock while muted) is followed at
once if nothing of it is waiting, and after four stray packets otherwise.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.receive.ring import SlotRing
from mixer.rtp.sequence import difference

TICK_NS: Final = 20_000_000
WINDOW_TICKS: Final = 100
"""How long every packet must have had time to spare before the wait is shortened."""
PATIENCE_TICKS: Final = 33
"""How long a leg looks for a silent slot to skip before it skips a sounding one."""
AHEAD_WINDOWS: Final = 15
"""Half a minute after the last loss, the packet after a hole is not waited for any more."""
STRAYS: Final = 4
SPARE_TICKS: Final = 4
"""Left free of the ring when the wait is at its longest, for packets that come early."""
NEVER: Final = np.int32(1_000_000)
"""`missed` of a leg that has not played anything yet."""

Rows = NDArray[np.int64]


class Playout:
    """Playing positions of the legs of one format, as columns.

    `slot_ts`: RTP timestamp units in a slot; `slots_per_tick`: 1, or 2 for Opus; `horizon`: slots that may wait in
    `ring`; `whole_bytes`: a slot of the ring with so many is complete. The ring is only asked whether a packet that
    comes late has come before.
    """

    def __init__(
        self, capacity: int, slot_ts: int, slots_per_tick: int, horizon: int, ring: SlotRing, whole_bytes: int
    ) -> None:
        self.slot_ts, self.slots_per_tick, self.horizon = slot_ts, slots_per_tick, horizon
        self.ring, self.whole_bytes = ring, whole_bytes
        self._longest_ns = (horizon // slots_per_tick - SPARE_TICKS) * TICK_NS
        self.started = np.zeros(capacity, bool)
        self.play = np.zeros(capacity, np.int64)
        self.play_ts = np.zeros(capacity, np.uint32)
        self.missed = np.full(capacity, NEVER, np.int32)
        self.stall = np.zeros(capacity, np.int32)
        self.excess = np.zeros(capacity, np.int32)
        self.patience = np.zeros(capacity, np.int32)
        self.strays = np.zeros(capacity, np.int32)
        self.low_ns = np.full(capacity, TICK_NS * 1000, np.int64)
        self.wait_ns = np.zeros(capacity, np.float64)
        self.least_ns = np.zeros(capacity, np.int64)
        self.aim_ns = np.zeros(capacity, np.int64)
        """`least_ns`, or a tick more while `ahead` windows last."""
        self.ahead = np.zeros(capacity, np.int32)
        self.max_ns = np.zeros(capacity, np.int64)
        self.late = np.zeros(capacity, np.int64)
        self.repeated = np.zeros(capacity, np.int64)
        """Packets that came again after they were played."""

    def grow(self, capacity: int) -> None:
        """Make room; rows keep their values."""
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                setattr(self, name, grown(column, capacity))

    def open(self, row: int, margin_ms: int, max_ms: int) -> None:
        """Start afresh for a new leg."""
        self.late[row] = self.repeated[row] = 0
        self.least_ns[row] = margin_ms * 1_000_000
        self.max_ns[row] = min(max(max_ms, margin_ms + 20) * 1_000_000, self._longest_ns)
        self.restart(row)

    def restart(self, row: int) -> None:
        """Forget the stream; the next packet sets the position anew."""
        self.started[row] = False
        self.missed[row] = NEVER
        self.stall[row] = self.excess[row] = self.patience[row] = self.strays[row] = self.ahead[row] = 0
        self.aim_ns[row] = self.least_ns[row]
        self.low_ns[row] = TICK_NS * 1000

    def place(self, rows: Rows, timestamp: NDArray[np.uint32], age_ns: NDArray[np.int64]) -> tuple[Rows, Rows]:
        """Slots and offsets for a batch of packets, in order of arrival.

        `rows` (n,) leg of each packet, `timestamp` (n,) RTP, `age_ns` (n,) how long before this tick each came.
        Returns `slot` (n,) int64, -1 for what is dropped (counted as late), and `offset` (n,) int64, timestamp units
        into that slot.
        """
        fresh = ~self.started[rows]
        if fresh.any():
            self._anchor(rows[fresh], timestamp[fresh], age_ns[fresh])
        distance = (timestamp - self.play_ts[rows]).view(np.int32).astype(np.int64)
        slot = distance // self.slot_ts
        offset = distance - slot * self.slot_ts
        margin = age_ns + slot // self.slots_per_tick * TICK_NS
        # A packet is placed by its first sample; one that begins before the tick's first slot has come too late.
        stray = (slot < 0) | (slot >= self.horizon)
        if stray.any():
            for i in np.flatnonzero(stray):
                self._stray(i, rows, timestamp, age_ns, slot, offset, margin)
            stray = slot < 0
            self.strays[rows[~stray]] = 0
            kept = np.flatnonzero(~stray)
            self._learn(rows[kept], margin[kept])
        else:
            self.strays[rows] = 0
            self._learn(rows, margin)
        slot = np.where(stray, -1, slot + self.play[rows])
        return slot, offset

    def _learn(self, rows: Rows, margin: NDArray[np.int64]) -> None:
        np.minimum.at(self.low_ns, rows, margin)
        self.wait_ns[rows] += (margin - self.wait_ns[rows]) * 0.0625  # several of one row: the last counts, enough

    def _anchor(self, rows: Rows, timestamp: NDArray[np.uint32], age_ns: NDArray[np.int64]) -> None:
        """Choose `play` for legs whose first packets these are; of several packets of a leg the earliest counts."""
        for row in np.unique(rows):
            mine = rows == row
            stamps = timestamp[mine]
            ahead = (stamps - stamps[0]).view(np.int32)
            first = int(np.argmin(ahead))
            self._start(int(row), int(stamps[first]), int(age_ns[mine][first]))

    def _start(self, row: int, timestamp: int, age_ns: int) -> None:
        ticks = max(0, -((age_ns - int(self.aim_ns[row])) // TICK_NS))
        back = ticks * self.slots_per_tick * self.slot_ts
        self.play_ts[row] = np.uint32((timestamp - back) & 0xFFFFFFFF)
        self.started[row] = True
        self.strays[row] = self.stall[row] = self.excess[row] = 0
        self.low_ns[row] = TICK_NS * 1000
        self.wait_ns[row] = age_ns + ticks * TICK_NS

    def _stray(
        self,
        i: np.intp,
        rows: Rows,
        timestamp: NDArray[np.uint32],
        age_ns: NDArray[np.int64],
        slot: Rows,
        offset: Rows,
        margin: NDArray[np.int64],
    ) -> None:
        """One packet outside the window: late, or of a stream that jumped. Rewrites its `slot` if it is followed."""
        row = int(rows[i])
        # An earlier packet of this batch may have moved the row already.
        slot[i], offset[i] = divmod(self._distance(row, int(timestamp[i])), self.slot_ts)
        if 0 <= slot[i] < self.horizon:
            margin[i] = age_ns[i] + slot[i] // self.slots_per_tick * TICK_NS
            return
        near = -self.horizon <= slot[i] < 0
        self.strays[row] += 1
        # Nothing but repeats, one after the other, is no repeat: the sender set its clock back a little.
        repeats = near and self.ring.arrived(row, int(self.play[row] + slot[i]), self.whole_bytes)
        if repeats and self.strays[row] < STRAYS:
            self.repeated[row] += 1
            slot[i] = -1
            return
        idle = self.missed[row] > STRAYS
        lacking_ns = int(self.aim_ns[row] - margin[i])
        ticks = -(-lacking_ns // TICK_NS)
        if (idle and not near) or (idle and self.missed[row] > WINDOW_TICKS) or self.strays[row] >= STRAYS:
            self.play[row] += self.horizon  # past whatever waits: it is of the time before the jump
            self._start(row, int(timestamp[i]), int(age_ns[i]))
            slot[i] = self._distance(row, int(timestamp[i])) // self.slot_ts
            offset[i], margin[i] = 0, age_ns[i] + slot[i] // self.slots_per_tick * TICK_NS
            return
        if near and self.wait_ns[row] + ticks * TICK_NS <= self.max_ns[row]:
            self.stall[row] = max(int(self.stall[row]), ticks)
        self.late[row] += 1
        slot[i] = -1

    def _distance(self, row: int, timestamp: int) -> int:
        """Timestamp units from the playing position to `timestamp`, by the shorter way round."""
        return difference(timestamp, int(self.play_ts[row]), 32)

    def advance(self, n: int, quiet: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Decide, before the tick is played, which of the first `n` legs wait and which jump a tick ahead.

        `quiet` (n,) bool: skipping the coming slot would not be heard. Returns `playing` (n,) bool, False for legs
        that have not started or stall, and `skipping` (n,) bool: drop the coming tick's slots and play the next.
        """
        playing = self.started[:n] & (self.stall[:n] == 0)
        stalled = self.started[:n] & ~playing
        if stalled.any():
            self.stall[:n][stalled] -= 1
            self.low_ns[:n][stalled] += TICK_NS
            self.wait_ns[:n][stalled] += TICK_NS
        skipping = playing & (self.excess[:n] > 0)
        if skipping.any():
            self.patience[:n][skipping] -= 1
            skipping &= quiet | (self.patience[:n] <= 0)
            self.excess[:n][skipping] -= 1
            self.patience[:n][skipping] = PATIENCE_TICKS
            self.low_ns[:n][skipping] -= TICK_NS
            self.wait_ns[:n][skipping] -= TICK_NS
            self.jump(np.flatnonzero(skipping))
        return playing, skipping

    def jump(self, rows: Rows) -> None:
        """Move these legs one tick on in media time."""
        self.play[rows] += self.slots_per_tick
        self.play_ts[rows] += np.uint32(self.slots_per_tick * self.slot_ts)

    def step(self, n: int, playing: NDArray[np.bool_]) -> None:
        """The tick was played by `playing` (n,) bool."""
        self.play[:n] += np.where(playing, self.slots_per_tick, 0)
        self.play_ts[:n] += np.where(playing, self.slots_per_tick * self.slot_ts, 0).astype(np.uint32)

    def look_ahead(self, row: int, blind: bool) -> None:
        """A hole of this leg is filled best from the packet after it: for some time, have that one there as well.

        `blind`: this time it was not; if that is because packets wait too short a time, the leg waits a tick more.
        """
        self.ahead[row] = AHEAD_WINDOWS
        self.aim_ns[row] = self.least_ns[row] + TICK_NS
        short = self.low_ns[row] < TICK_NS and self.wait_ns[row] + TICK_NS <= self.max_ns[row]
        if blind and short:
            self.stall[row] = max(int(self.stall[row]), 1)

    def review(self, n: int) -> None:
        """At the end of each window: legs whose every packet waited a tick longer than it need shall skip."""
        spare = (self.low_ns[:n] - self.aim_ns[:n]) // TICK_NS
        measured = self.low_ns[:n] < TICK_NS * 500
        self.excess[:n] = np.where(measured & self.started[:n] & (spare > 0), spare, 0)
        self.patience[:n] = PATIENCE_TICKS
        np.maximum(self.ahead[:n] - 1, 0, out=self.ahead[:n])
        np.copyto(self.aim_ns[:n], self.least_ns[:n], where=self.ahead[:n] == 0)
        self.low_ns[:n] = TICK_NS * 1000

    def depth_ms(self, row: int) -> float:
        """How long packets of this leg have been waiting, smoothed."""
        return float(self.wait_ns[row]) / 1e6 if self.started[row] else 0.0
