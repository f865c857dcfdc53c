"""Formats whose payload is so many bytes per sample: what `g711`, `g722` and `l16` have in common.

Their packets may be of any size: the ring is laid out by timestamp, a slot being 20 ms of media time, so that 160
samples make a tick however they were cut into packets.
"""

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.clips import Clips
from mixer.dsp.conceal import conceal, join, patch
from mixer.dsp.timescale import MORE_MS, SOFT, is_soft, lengthen, shorten
from mixer.formats.base import CONCEAL_TICKS, Flags, FormatTable, Rows
from mixer.formats.picked import Picked
from mixer.protocol import TICK_MS
from mixer.receive.action import Action
from mixer.receive.playout import Playout
from mixer.receive.ring import SlotRing
from mixer.transports.base import Outgoing

SLOTS: Final = 32
MOST: Final = 8
"""Where all but one in so many hear a mix of their own, making one for all rows is cheaper than picking rows out."""
HORIZON: Final = 28
"""Slots that may wait: 560 ms. The rest is what was just played."""


class SampledTable(FormatTable):
    """Legs of one such format. `bytes_per_unit`: payload bytes per RTP timestamp unit."""

    COLUMNS: ClassVar[tuple[str, ...]] = (*FormatTable.COLUMNS, "_whole", "_have", "_period", "_made")
    silence: int
    """The byte that decodes to silence when repeated."""
    silence_sounds = False
    """Silence decodes to a small constant, as in A-law, not to zero."""

    def __init__(self, capacity: int, clips: Clips, sample_rate: int, clock_rate: int, bytes_per_unit: int) -> None:
        step = clock_rate // 50
        self.bytes_per_unit = bytes_per_unit
        self.payload_bytes = step * bytes_per_unit
        self.ring = SlotRing(capacity, SLOTS, self.payload_bytes)
        playout = Playout(capacity, step, 1, HORIZON, self.ring, self.payload_bytes)
        super().__init__(capacity, clips, sample_rate, step, playout)
        self.quiet_row = np.full((1, self.payload_bytes), self.silence, np.uint8)
        """The payload of a tick of silence."""
        self.shared_payload = np.zeros((1, self.payload_bytes), np.uint8)
        self.received = np.zeros((capacity, self.payload_bytes), np.uint8)
        self._make_payloads(capacity)
        self._whole = np.zeros(capacity, bool)
        """The frame is one that came in whole, untouched."""
        self._period = np.zeros(capacity, np.int32)
        """Samples of the pitch period that a leg's concealment repeats."""
        self._made = np.zeros(capacity, np.int64)
        """Samples that concealment made up at the end of what a leg has said."""
        self._have = np.zeros(capacity, bool)
        """At least part of the frame is what came in."""
        self._unit_samples = self.samples // step
        self._all_rows = np.arange(capacity)
        self._shared_given = False

    def _make_payloads(self, capacity: int) -> None:
        self.own_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        self.played_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        payloads = self.quiet_row, self.shared_payload, self.own_payload, self.played_payload
        self._quiet_at, self._shared_at, self._own_at, self._played_at = (each.ctypes.data for each in payloads)

    def grow(self, capacity: int) -> None:
        """See FormatTable."""
        super().grow(capacity)
        self.ring.grow(capacity)
        self.received = np.zeros((capacity, self.payload_bytes), np.uint8)
        self._make_payloads(capacity)
        self._all_rows = np.arange(capacity)

    def restart(self, row: int) -> None:
        """See FormatTable."""
        super().restart(row)
        self.ring.clear(row)
        self._made[row] = 0

    def remove(self, row: int) -> None:
        """See FormatTable."""
        super().remove(row)
        self.ring.clear(row)
        self._made[row] = 0

    def insert(self, packets: Picked) -> None:
        """See FormatTable."""
        if self.bytes_per_unit > 1:
            odd = packets.length % self.bytes_per_unit != 0
            if odd.any():
                self.malformed += int(np.count_nonzero(odd))
                packets = packets.take(~odd)
        slot, offset = self.playout.place(packets.rows, packets.timestamp, packets.age_ns)
        loops = kernels.loops
        if loops is not None and loops.fit(packets.rows, slot, offset, packets.length, self.payload_bytes):
            self._put(packets, slot)
            return
        placed = slot >= 0
        simple = placed & (offset == 0) & (packets.length == self.payload_bytes)
        if simple.all():
            self._put(packets, slot)
            return
        if simple.any():
            self._put(packets.take(simple), slot[simple])
        for i in np.flatnonzero(placed & ~simple):
            self._put_pieces(packets, int(i), int(slot[i]), int(offset[i]) * self.bytes_per_unit)

    def _put(self, packets: Picked, slot: Rows) -> None:
        stored = self._store(packets, slot, self.payload_bytes)
        if not stored.all():
            np.add.at(self.duplicates, packets.rows[~stored], 1)

    def _put_pieces(self, packets: Picked, i: int, slot: int, at: int) -> None:
        """One packet that is longer or shorter than a slot, or lies across a border."""
        row, length, start = int(packets.rows[i]), int(packets.length[i]), int(packets.offset[i])
        payload = packets.batch.data[packets.index[i], start : start + length]
        last = int(self.playout.play[row]) + HORIZON
        while len(payload) and slot < last:
            piece = payload[: self.payload_bytes - at]
            self.duplicates[row] += not self.ring.put_piece(row, slot, at, piece, self.silence)
            payload, slot, at = payload[len(piece) :], slot + 1, 0

    def pop(self) -> None:
        """See FormatTable."""
        n, playout = self.n, self.playout
        action = playout.decide(n, self._silent)
        playing = action >= Action.PLAY
        self.begin_tick()
        whole, have = self._whole[:n], self._have[:n]
        complete = self._take_whole(action)
        if not complete or playout.cut:
            rest = np.flatnonzero(~whole)
            holes = self._find_holes(playing, self.received)
            holes |= {row: (0, 0) for row in playout.cut if row < n and whole[row]}  # faded over to what comes instead
            playout.cut.clear()
            if len(rest):
                self._take_rest(rest)
            self._patch(holes)
            self._conceal(self._missing(have))
        recovered = np.flatnonzero(self._made[:n])
        if len(recovered):
            self._join(recovered[whole[recovered]])
        np.copyto(playout.missed[:n], 0, where=have)
        for row in np.flatnonzero(action > Action.PLAY).tolist():
            if whole[row]:
                self._rescale(row, Action(int(action[row])))
        playout.step(n, action, have)

    def _take_whole(self, action: NDArray[np.int8]) -> bool:
        """Set `_whole`, `_have` and `received`, what has come for this tick; returns whether that is all of it.

        If so it is decoded, and `contributes` set; else of the rows that are whole, or of none.
        """
        n, playout = self.n, self.playout
        whole, slot, at = self._whole[:n], playout.play[:n], playout.phase[:n] * self.bytes_per_unit
        shifted = bool(at.any())
        np.logical_and(self.ring.complete(n, slot), action >= Action.PLAY, out=whole)
        if shifted:
            whole &= (at == 0) | self.ring.complete(n, slot + 1)
        self.received = self.ring.read(n, slot, at if shifted else None)
        np.copyto(self._have[:n], whole)
        if not whole.all():
            return False
        self._decode(self.received, self.frames[:n])
        self._mark_silent(n, self.received)
        return True

    def _take_rest(self, rows: Rows) -> None:
        """Decode what `_take_whole` did not: `rows`, of which `received` is made up where nothing has come."""
        n = self.n
        self._decode(self.received, self.frames[:n])
        self.frames[:n][~self._have[:n]] = 0
        self._mark_silent(n, self.received)

    def _find_holes(self, playing: Flags, payload: NDArray[np.uint8]) -> dict[int, tuple[int, int]]:
        """Rows of which part has come, and from which to which sample of the frame they lack it.

        Sets `_have` of them; what has not come of `payload` becomes silence.
        """
        n, ring, slot = self.n, self.ring, self.playout.play[: self.n]
        have, at = self._have[:n], self.playout.phase[:n] * self.bytes_per_unit
        holes = {}
        some = playing & ~have & (ring.has(n, slot) | ((at > 0) & ring.has(n, slot + 1)))
        for row in np.flatnonzero(some).tolist():
            there = ring.there(row, int(slot[row]), int(at[row]))
            have[row] = there.any()
            lacking = np.flatnonzero(~there)
            payload[row, lacking] = self.silence
            self._whole[row] = len(lacking) == 0  # only of what was played before there is something missing
            if have[row] and len(lacking):
                samples = self._unit_samples
                begin, end = int(lacking[0]) // self.bytes_per_unit, int(lacking[-1] + 1) // self.bytes_per_unit
                holes[row] = (begin * samples, end * samples)
        payload[:n][~have] = self.silence
        return holes

    def _mark_silent(self, n: int, payload: NDArray[np.uint8]) -> None:
        """Set `contributes`; the frames of those who sent nothing but silence are made zero."""
        says = np.any(payload != self.silence, axis=1, out=self.contributes[:n])
        if self.silence_sounds and not says.all():
            self.frames[:n][~says] = 0

    def _silent(self, asked: Rows) -> Flags:
        """(k,) bool: neither the last tick of these legs nor this one and what follows sounds."""
        soft: Flags = ~self.contributes[asked] | (np.abs(self.frames[asked]).max(axis=1) < SOFT)
        for slot in (self.playout.play[asked], self.playout.play[asked] + 1):
            place = slot & self.ring.mask
            held = soft & (self.ring.key[asked, place] == slot)
            soft[held] = self._sounds_soft(self.ring.data[asked[held], place[held]])
        return soft

    def _sounds_soft(self, payload: NDArray[np.uint8]) -> Flags:
        """(k,) bool: these slots, decoded, are soft."""
        frames = np.zeros((len(payload), self.samples), np.float32)
        self._decode(payload, frames)
        soft: Flags = np.abs(frames).max(axis=1, initial=0) < SOFT
        return soft

    def _conceal(self, rows: Rows) -> None:
        if len(rows):
            made, period = self._made[rows], self._period[rows]
            frames = np.zeros((len(rows), self.samples), np.float32)
            conceal(self._past(rows), made, period, self.sample_rate, frames)
            self._period[rows], self._made[rows] = period, made + self.samples
            self.frames[rows] = frames
            self.contributes[rows] = frames.any(axis=1)

    def _patch(self, holes: dict[int, tuple[int, int]]) -> None:
        """Make up the part of these frames that has not come."""
        if not holes:
            return
        rows, parts = np.array(list(holes)), np.array(list(holes.values()))
        made = np.where(self.playout.missed[rows] <= CONCEAL_TICKS, self._made[rows], 0)
        frames, period = self.frames[rows], self._period[rows]
        patch(self._past(rows), made, period, self.sample_rate, frames, parts)
        self.frames[rows], self._period[rows] = frames, period
        self._made[rows] = np.where(parts[:, 1] == self.samples, self.samples - parts[:, 0], 0)
        self.contributes[rows] = frames.any(axis=1)
        self.concealed[rows] += 1

    def _join(self, rows: Rows) -> None:
        """The first frames after a loss: fade over from what concealment would have said next."""
        mending = rows[self.playout.missed[rows] <= CONCEAL_TICKS]
        if len(mending):
            frames = self.frames[mending]
            join(self._past(mending), self._made[mending], self._period[mending], self.sample_rate, frames)
            self.frames[mending] = frames
            self.contributes[mending] |= frames.any(axis=1)  # silence that came is faded over to
            self._whole[mending] = False
        self._made[rows] = 0

    def _rescale(self, row: int, action: Action) -> None:
        """Drop some of what the leg says, or add to it, if that is not heard."""
        playout, unit, frame = self.playout, self._unit_samples, self.frames[row]
        most, alike = abs(int(playout.corrections.wish[row])) * unit, playout.corrections.least_alike(row)
        if action == Action.ACCELERATE:
            more = self._following(row)
            sound = np.concatenate([frame, more])
            soft = is_soft(sound)
            moved = shorten(sound, most, alike, self.sample_rate, even=unit > 1)
            frame[:] = sound[: self.samples]
            unplayed = more[moved:]
        else:
            before, soft = frame.copy(), is_soft(frame)
            moved = -lengthen(self._past(np.array([row]))[0], frame, most, alike, self.sample_rate, even=unit > 1)
            unplayed = before[self.samples + moved :]
        playout.corrected(row, moved // unit, soft)
        self._keep(row, unplayed)
        if moved:
            self.contributes[row] = frame.any()
            self._whole[row] = False

    def _following(self, row: int) -> NDArray[np.float32]:
        """(up to 15 ms,): what has come of what the leg says after this tick."""
        playout = self.playout
        most = playout.tick_ts * MORE_MS // TICK_MS * self.bytes_per_unit
        at = int(playout.phase[row]) * self.bytes_per_unit
        return self._decode_more(row, self.ring.stretch(row, int(playout.play[row]) + 1, at, most))

    def _decode_more(self, row: int, payload: NDArray[np.uint8]) -> NDArray[np.float32]:
        frames = np.zeros((1, len(payload) // self.bytes_per_unit), np.float32)
        self._decode(payload[None], frames)
        more: NDArray[np.float32] = frames[0]
        return more

    def _keep(self, row: int, unplayed: NDArray[np.float32]) -> None:
        """`unplayed` was decoded but is still to be played: only decoders with a memory mind."""

    def encode(self, total: NDArray[np.float32], out: Outgoing) -> None:
        """See FormatTable."""
        n = self.n
        own = self._own_rows()
        if len(own) * MOST > n * (MOST - 1):
            own = self._all_rows[:n]
        if not self._shared_given and (len(own) < n):
            self._limit_shared(total)
            self._encode(self.shared_pcm, self.shared_payload)
        self._shared_given = False
        own_pcm = self._limit_own(total, own)
        if len(own):
            self._encode(own_pcm, self.own_payload[: len(own)])
        self._point(own, out)
        rows, clips, index = self.played()
        if len(rows):
            self._encode(self._clip_pcm(clips, index), self.played_payload[: len(rows)])
            out.payload_address[self.leg_rows[rows]] = _addresses(self._played_at, self.payload_bytes, len(rows))

    def _point(self, own: Rows, out: Outgoing) -> None:
        """Tell where the payload of each leg lies; those of `own` are the first of `own_payload`."""
        n, size = self.n, self.payload_bytes
        loops = kernels.loops
        if loops is not None:
            at = self._quiet_at, self._shared_at, self._own_at, size
            loops.point(n, self.live, self.hears, self.leg_rows, own, *at, out.payload_address, out.payload_bytes)
            return
        live, hears = self.live[:n], self.hears[:n]
        address = np.where(hears, np.uint64(self._shared_at), np.uint64(self._quiet_at))
        hearing = hears[own]  # of all rows, also those who say nothing: what is theirs is the whole mix
        address[own[hearing]] = _addresses(self._own_at, size, len(own))[hearing]
        out.payload_address[self.leg_rows[:n][live]] = address[live]
        out.payload_bytes[self.leg_rows[:n][live]] = size

    def _clip_pcm(self, clips: Rows, index: Rows) -> NDArray[np.int16]:
        """(len(clips), samples): these ticks of these clips, silence where one is not lent at this rate."""
        pcm = np.zeros((len(clips), self.samples), np.int16)
        for number in np.unique(clips).tolist():
            if self.clips.has(number, self.sample_rate):
                mine = clips == number
                pcm[mine] = self.clips.frames(number, index[mine], self.sample_rate)
        return pcm

    def sole_payload(self, row: int) -> NDArray[np.uint8] | None:
        """See FormatTable: only an untouched frame at unity gain passes through bit by bit."""
        if self._whole[row] and self.untouched[row] and self.shared_limiter_gains.min() == 1:
            payload: NDArray[np.uint8] = self.received[row]
            return payload
        return None

    def share(self, payload: NDArray[np.uint8]) -> None:
        """See FormatTable."""
        self.shared_payload[0] = payload
        self._shared_given = True

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        raise NotImplementedError

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        raise NotImplementedError


def _addresses(first: int, size: int, count: int) -> NDArray[np.uint64]:
    """Where so many payloads of `size` bytes lie that follow on each other."""
    return np.uint64(first) + np.arange(count, dtype=np.uint64) * np.uint64(size)
