"""When each leg's packets are played: numbers only, no sound.

Media time of a leg is cut into slots (20 ms, or 10 ms for Opus). The next tick plays from `phase` timestamp units
into slot `play`. The first packet sets this position so that its margin (see `arrivals`) is the smallest that is at
least the leg's aim. A packet that comes after its turn sets it back (`rewind`) if all that was played since was made
up, so that it is heard after all; else the leg waits (`stall`) for as long as that packet lacked.

Twice a second each leg's recent margins say how far its position should be moved (`wish`): ahead by whole ticks if
every packet had so much to spare, and by the part of a tick that its packets wait for nothing; back by up to a tick
when margins become small, as they do when the sender's clock is slow. In a silent moment the whole of it is done at
once, in sound a pitch period at a time: `decide` says in which tick whose turn it is, `mixer.dsp.timescale` does it.

A stream whose timestamps jump (a restarted encoder, a sender that stopped its clock while muted) is followed at
once if nothing of it is waiting, and after stray packets in four ticks otherwise.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.receive.action import Action as Action
from mixer.receive.arrivals import NOTHING_NS, PARTS, Arrivals
from mixer.receive.corrections import Corrections
from mixer.receive.plain import Rows, place_plain
from mixer.receive.ring import SlotRing
from mixer.rtp.sequence import difference

TICK_NS: Final = 20_000_000
WINDOW_TICKS: Final = 25
"""From one review to the next."""
IDLE_TICKS: Final = 100
"""After so long without a packet the next one is followed wherever it is."""
AHEAD_WINDOWS: Final = 60
"""Half a minute after the last loss, the packet after a hole is not waited for any more."""
STRAYS: Final = 4
LEARN_WINDOWS: Final = 2
"""Until it is believed that all packets begin so far into their ticks."""
LONG_WINDOWS: Final = 6
"""The same where packets are not whole ticks."""
SPARE_TICKS: Final = 4
"""Left free of the ring when the wait is at its longest, for packets that come early."""
NEVER: Final = np.int32(1_000_000)
"""`missed` of a leg that has not played anything yet."""
LEAST_WISH_MS: Final = 2.5
"""No period is shorter."""
Flags = NDArray[np.bool_]


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
        self.tick_ts = slot_ts * slots_per_tick
        self.ring, self.whole_bytes = ring, whole_bytes
        self._longest_ns = (horizon // slots_per_tick - SPARE_TICKS) * TICK_NS
        self.arrivals = Arrivals(capacity)
        self.corrections = Corrections(capacity, self.tick_ts, round(LEAST_WISH_MS * self.tick_ts / 20))
        self.rewound: list[int] = []
        """Rows that the last batch of packets set back."""
        self.cut: list[int] = []
        """Rows that were moved ahead in sound, for the table to take out."""
        self.started = np.zeros(capacity, bool)
        self.play, self.play_ts = np.zeros(capacity, np.int64), np.zeros(capacity, np.uint32)
        """Timestamp at which slot `play` begins."""
        self.phase = np.zeros(capacity, np.int64)
        self.missed = np.full(capacity, NEVER, np.int32)
        self.stall = np.zeros(capacity, np.int32)
        self.blank = np.zeros(capacity, np.int64)
        """Units of media time just before the position in which nothing was played that had come."""
        self.strays = np.zeros(capacity, np.int32)
        self._strayed = np.zeros(capacity, np.int64)
        """The batch in which the last stray came."""
        self.least_into = np.zeros(capacity, np.int64)
        """How far into the tick that plays it a packet begins at least, in units, since the position was last moved."""
        self.most_into = np.zeros(capacity, np.int64)
        self.learnt = np.zeros(capacity, np.int32)
        """Windows since then."""
        self.spread = np.zeros(capacity, np.int64)
        """How different that is from packet to packet; 0 for packets of whole ticks."""
        self.least_ns, self.aim_ns = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        """`least_ns`, or a tick more while `ahead` windows last."""
        self.ahead = np.zeros(capacity, np.int32)
        self.max_ns = np.zeros(capacity, np.int64)
        self.late = np.zeros(capacity, np.int64)
        self.repeated = np.zeros(capacity, np.int64)
        """Packets that came again after they were played."""
        self.dropped = np.zeros(capacity, np.int64)
        """Units of media time that were left out or spliced away."""
        self.added = np.zeros(capacity, np.int64)
        """Units of sound that were played twice."""
        self._batches = 0
        self._straying = False
        """Some leg has had a stray since the last review."""

    def grow(self, capacity: int) -> None:
        """Make room; rows keep their values."""
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                setattr(self, name, grown(column, capacity))
        self.arrivals.grow(capacity)
        self.corrections.grow(capacity)

    def open(self, row: int, margin_ms: int, max_ms: int) -> None:
        """Start afresh for a new leg."""
        self.late[row] = self.repeated[row] = self.dropped[row] = self.added[row] = 0
        self.least_ns[row] = margin_ms * 1_000_000
        self.max_ns[row] = min(max(max_ms, margin_ms + 20) * 1_000_000, self._longest_ns)
        self.arrivals.open(row)
        self.restart(row)

    def restart(self, row: int) -> None:
        """Forget the stream; the next packet sets the position anew."""
        self.started[row] = False
        self.missed[row] = NEVER
        self.stall[row] = self.strays[row] = self.ahead[row] = self.phase[row] = self.blank[row] = 0
        self.aim_ns[row] = self.least_ns[row]
        self._settle(row)

    def _settle(self, row: int) -> None:
        self.corrections.forget(row)
        self.spread[row] = 0
        self._unlearn(row)

    def _unlearn(self, rows: Rows | int) -> None:
        """Where in their ticks packets begin has changed."""
        self.least_into[rows], self.most_into[rows], self.learnt[rows] = self.tick_ts, 0, 0

    # ---- packets come

    def begin_batch(self) -> None:
        """Packets came together, later than the last ones did."""
        self._batches += 1
        self.rewound.clear()

    def place(self, rows: Rows, timestamp: NDArray[np.uint32], age_ns: NDArray[np.int64]) -> tuple[Rows, Rows]:
        """Slots and offsets for a batch of packets, in order of arrival.

        `rows` (n,) leg of each packet, `timestamp` (n,) RTP, `age_ns` (n,) how long before this tick each came.
        Returns `slot` (n,) int64, -1 for what is dropped (counted as late), and `offset` (n,) int64, timestamp units
        into that slot.
        """
        self.begin_batch()
        placed = place_plain(self, rows, timestamp, age_ns)
        if placed is not None:
            if self._straying:
                self.strays[rows] = 0
            return placed
        started = self.started[rows]
        if not started.all():
            fresh = ~started
            self._anchor(rows[fresh], timestamp[fresh], age_ns[fresh])
        distance = self._distances(rows, timestamp)
        slot = distance // self.slot_ts
        offset = distance - slot * self.slot_ts
        ahead = distance - self.phase[rows]
        # A packet is placed by its first sample; one that begins before the tick's first has come too late.
        stray = (ahead < 0) | (slot >= self.horizon)
        if not stray.any():
            if self._straying:
                self.strays[rows] = 0
            self._note(rows, ahead, age_ns)
            return slot + self.play[rows], offset
        self._straying = True
        for i in np.flatnonzero(stray).tolist():
            kept = self._stray(int(rows[i]), int(timestamp[i]), int(age_ns[i]))
            stray[i] = not kept
        self.strays[rows[~stray]] = 0
        distance = self._distances(rows, timestamp)  # positions were moved
        slot = distance // self.slot_ts
        stray |= (slot < 0) | (slot >= self.horizon)  # of the time before a jump that another packet told of
        timely = ~stray & (distance >= self.phase[rows])
        self._note(rows[timely], (distance - self.phase[rows])[timely], age_ns[timely])
        return np.where(stray, -1, slot + self.play[rows]), distance - slot * self.slot_ts

    def _distances(self, rows: Rows, timestamp: NDArray[np.uint32]) -> Rows:
        """Timestamp units from the beginning of slot `play`."""
        return (timestamp - self.play_ts[rows]).view(np.int32).astype(np.int64)

    def _note(self, rows: Rows, ahead: Rows, age_ns: NDArray[np.int64]) -> None:
        ticks = ahead // self.tick_ts
        into = ahead - ticks * self.tick_ts
        wait = age_ns + ticks * TICK_NS
        if not into.any():  # packets of whole ticks, none of them spliced
            self.least_into[rows] = 0
            self.arrivals.note(rows, wait)
            return
        np.minimum.at(self.least_into, rows, into)
        np.maximum.at(self.most_into, rows, into)
        self.arrivals.note(rows, wait + into * TICK_NS // self.tick_ts, wait)

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
        self.play_ts[row] = np.uint32((timestamp - ticks * self.tick_ts) & 0xFFFFFFFF)
        self.started[row] = True
        self.strays[row] = self.stall[row] = self.phase[row] = self.blank[row] = 0
        self._settle(row)
        self.arrivals.anchor(row, age_ns + ticks * TICK_NS)

    def _stray(self, row: int, timestamp: int, age_ns: int) -> bool:
        """One packet outside the window: late, or of a stream that jumped. Returns whether it can still be used."""
        distance = difference(timestamp, int(self.play_ts[row]), 32)
        slot, ahead = distance // self.slot_ts, distance - int(self.phase[row])
        if ahead >= 0 and slot < self.horizon:
            return True  # an earlier packet of this batch has moved the position
        near = -self.horizon <= slot < self.horizon
        if self._strayed[row] != self._batches:  # many that come at once were held up on their way, no jump
            self._strayed[row] = self._batches
            self.strays[row] += 1
        # Nothing but repeats, one after the other, is no repeat: the sender set its clock back a little.
        repeats = near and self.ring.arrived(row, int(self.play[row]) + slot, self.whole_bytes)
        if repeats and self.strays[row] < STRAYS:
            self.repeated[row] += 1
            return False
        gone = self.missed[row] > (IDLE_TICKS if near else STRAYS)
        # Where sound can only begin with a slot, as it is decoded by packets, it is set back to there.
        back = -ahead if self.slots_per_tick == 1 else int(self.phase[row]) - slot * self.slot_ts
        if near and not gone and self._rewind(row, back):
            return True
        if gone or self.strays[row] >= STRAYS:
            self.play[row] += self.horizon  # past whatever waits: it is of the time before the jump
            self._start(row, timestamp, age_ns)
            return True
        lacking_ns = int(self.aim_ns[row]) - age_ns - ahead // self.tick_ts * TICK_NS
        ticks = -(-lacking_ns // TICK_NS)
        if near and self.arrivals.wait_ns[row] + ticks * TICK_NS <= self.max_ns[row]:
            self.stall[row] = max(int(self.stall[row]), ticks)
        if slot == 0:
            return True  # the rest of it can still be played
        self.late[row] += 1
        return False

    def _rewind(self, row: int, units: int) -> bool:
        """Set the position back if nothing that came was played since and the wait does not become too long."""
        waits_ns = self.arrivals.wait_ns[row] + units * TICK_NS / self.tick_ts
        if units > self.blank[row] or waits_ns > self.max_ns[row]:
            return False
        self.corrections.wish[row] = 0
        self.move(np.array([row]), np.array([-units]))
        self.rewound.append(row)
        return True

    # ---- a tick is played

    def decide(self, n: int, silent: Callable[[Rows], Flags]) -> NDArray[np.int8]:
        """What each of the first `n` legs does in this tick, (n,) int8 of `Action`.

        `silent`: asked of some rows, (k,) -> (k,) bool, whether neither what they last said nor what comes in this tick
        is heard: those are moved by whole ticks at once.
        """
        action = self.started[:n] * np.int8(Action.PLAY)
        rows = np.flatnonzero(self.started[:n] & (self.stall[:n] > 0))
        if len(rows):
            action[rows] = Action.EXPAND
            self.stall[rows] -= 1
            self.arrivals.shift(rows, TICK_NS)
        if self.corrections.any:
            rows = np.flatnonzero((self.corrections.wish[:n] != 0) & (action == Action.PLAY))
            if len(rows):
                self._correct(rows, silent(rows), action)
        return action

    def _correct(self, rows: Rows, silent: Flags, action: NDArray[np.int8]) -> None:
        wish = self.corrections.wish
        at_once = silent & (np.abs(wish[rows]) >= self.tick_ts)
        if at_once.any():
            ticks = np.sign(wish[rows[at_once]]) * self.tick_ts
            wish[rows[at_once]] -= ticks
            self._count(rows[at_once], ticks)
            self.move(rows[at_once], ticks)
            rows, silent = rows[~at_once], silent[~at_once]
        rows = self.corrections.due(rows, silent)
        action[rows] = np.where(wish[rows] > 0, Action.ACCELERATE, Action.STRETCH)

    def corrected(self, row: int, units: int, soft: bool) -> None:
        """In this tick's sound, so many units were dropped, or added if below 0; 0: no splice was good enough.

        To be told before `step`. `soft`: it was in a moment so soft that the next one need not wait.
        """
        self.corrections.done(row, units, soft)
        if units != 0:
            self._count(np.array([row]), np.array([units]))
            self.move(np.array([row]), np.array([units]))

    def _count(self, rows: Rows, units: Rows) -> None:
        self.dropped[rows] += np.maximum(units, 0)
        self.added[rows] -= np.minimum(units, 0)

    def move(self, rows: Rows, units: Rows) -> None:
        """Move these legs (k,) on by so many units (k,), or back: from now on packets wait so much less, or more."""
        by_ns, apart = -(units * TICK_NS // self.tick_ts), units % self.tick_ts != 0
        if apart.any():
            self.arrivals.shift_apart(rows[apart], by_ns[apart])
            self._unlearn(rows[apart])
        self.arrivals.shift(rows[~apart], by_ns[~apart])
        self.blank[rows] = np.maximum(self.blank[rows] + np.minimum(units, 0), 0)
        phase = self.phase[rows] + units
        slots = phase // self.slot_ts
        self.phase[rows] = phase - slots * self.slot_ts
        self.play[rows] += slots
        self.play_ts[rows] += (slots * self.slot_ts).astype(np.uint32)

    def align(self, rows: Rows) -> None:
        """Set these legs back to the beginning of their slot: nothing of it was decoded that could be gone on with."""
        rows = rows[self.phase[rows] > 0]
        if len(rows):
            self.move(rows, -self.phase[rows])

    def step(self, n: int, action: NDArray[np.int8], have: Flags) -> None:
        """The tick was played: the legs that `have` (n,) bool something of it played that, up to its end."""
        if have.all():
            self.play[:n] += self.slots_per_tick
            self.play_ts[:n] += np.uint32(self.tick_ts)
            self.blank[:n] = 0
            return
        moved = np.where(action >= Action.PLAY, self.tick_ts, 0)
        self.play[:n] += moved // self.slot_ts
        self.play_ts[:n] += moved.astype(np.uint32)
        self.blank[:n] = np.where(have, 0, self.blank[:n] + moved)

    def look_ahead(self, row: int, blind: bool) -> None:
        """A hole of this leg is filled best from the packet after it: for some time, have that one there as well.

        `blind`: this time it was not; if that is because packets wait too short a time, the leg waits a tick more.
        """
        self.ahead[row] = AHEAD_WINDOWS
        self.aim_ns[row] = self.least_ns[row] + TICK_NS
        if not blind or self.stall[row]:
            return
        least = int(self.arrivals.margin_ns(row + 1)[row])
        if least < TICK_NS and self.arrivals.wait_ns[row] + TICK_NS <= self.max_ns[row]:
            self.stall[row] = 1

    # ---- twice a second

    def review(self, n: int) -> None:
        """At the end of each window: decide where the legs' positions should be."""
        margin, aim, idle = self.arrivals.margin_ns(n), self.aim_ns[:n], self.least_into[:n]
        known = self.started[:n] & (margin < NOTHING_NS // 2)
        np.add(self.learnt[:n], 1, out=self.learnt[:n], where=known)
        np.maximum(self.spread[:n], self.most_into[:n] - idle, out=self.spread[:n], where=known)
        regular = self.learnt[:n] >= np.where(self.spread[:n] > 0, LONG_WINDOWS, LEARN_WINDOWS)
        shed = np.where(known & regular & (idle >= self.corrections.least), idle, 0)
        wish = np.where(margin >= aim, shed, 0)
        rows = np.flatnonzero(known & (margin >= aim + TICK_NS))
        if len(rows):
            wish[rows] += self._spare_ticks(rows, margin[rows]) * self.tick_ts
        short = known & (margin < aim // 2) & (self.arrivals.wait_ns[:n] + TICK_NS <= self.max_ns[:n])
        np.copyto(wish, idle - self.tick_ts, where=short)
        self.corrections.set(wish)
        self._cut(n)
        np.maximum(self.ahead[:n] - 1, 0, out=self.ahead[:n])
        np.copyto(aim, self.least_ns[:n], where=self.ahead[:n] == 0)
        self.arrivals.close_part(n)
        self._straying = bool(self.strays[:n].any())

    def _cut(self, n: int) -> None:
        """Legs that wait longer than they may, after a jump that was none, are moved ahead whatever is lost by that."""
        over = self.arrivals.wait_ns[:n] - self.max_ns[:n]
        rows = np.flatnonzero(self.started[:n] & (over > TICK_NS))
        if len(rows):
            self.move(rows, (over[rows] // TICK_NS).astype(np.int64) * self.tick_ts)
            self.cut += rows.tolist()

    def _spare_ticks(self, rows: Rows, margin: NDArray[np.int64]) -> Rows:
        """(k,): how many ticks these legs' packets, whose least margins are known, came too early."""
        into = np.maximum(self.most_into[rows], self.least_into[rows] + self.spread[rows])
        into_ns = into * TICK_NS // self.tick_ts
        young = self.learnt[rows] < PARTS  # then margins of before are not known, but can not have been less than this
        margin = np.where(young, np.minimum(margin, self.arrivals.least_ns(rows) - into_ns), margin)
        usual = self.arrivals.longest_ns[rows] - into_ns - self.arrivals.jitter_ns(rows)
        spare: Rows = np.maximum((np.minimum(margin, usual) - self.aim_ns[rows]) // TICK_NS, 0)
        return spare

    def depth_ms(self, row: int) -> float:
        """How long packets of this leg have been waiting, smoothed."""
        return float(self.arrivals.wait_ns[row]) / 1e6 if self.started[row] else 0.0

    def moved_ms(self, row: int) -> tuple[float, float]:
        """How much of this leg's media time was left out, and how much was added, in all."""
        return float(self.dropped[row]) * 20 / self.tick_ts, float(self.added[row]) * 20 / self.tick_ts
