"""Formats whose payload is so many bytes per sample: G.711, G.722 and L16.

Their packets may be of any size: the ring is laid out by timestamp, a slot being 20 ms of media time, so that 160
samples make a tick however they were cut into packets.
"""

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from mixer.clips import Clips
from mixer.codecs import g711, l16
from mixer.dsp.conceal import conceal, join
from mixer.formats.base import CONCEAL_TICKS, HISTORY_FRAMES, FormatTable, Picked, Rows
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

    COLUMNS: ClassVar[tuple[str, ...]] = (*FormatTable.COLUMNS, "_whole", "_period")
    silence: int
    """The byte that decodes to silence when repeated."""
    _silence_sounds = False
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
        self.own_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        self.played_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        self.received = np.zeros((0, self.payload_bytes), np.uint8)
        self._whole = np.zeros(capacity, bool)
        """The frame is one that came in whole, untouched."""
        self._period = np.zeros(capacity, np.int32)
        """Samples of the pitch period that a leg's concealment repeats."""
        self._all_rows = np.arange(capacity)
        self._shared_given = False

    def grow(self, capacity: int) -> None:
        """See FormatTable."""
        super().grow(capacity)
        self.ring.grow(capacity)
        self.own_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        self.played_payload = np.zeros((capacity, self.payload_bytes), np.uint8)
        self._all_rows = np.arange(capacity)

    def restart(self, row: int) -> None:
        """See FormatTable."""
        super().restart(row)
        self.ring.clear(row)

    def remove(self, row: int) -> None:
        """See FormatTable."""
        super().remove(row)
        self.ring.clear(row)

    def insert(self, packets: Picked) -> None:
        """See FormatTable."""
        if self.bytes_per_unit > 1:
            odd = packets.length % self.bytes_per_unit != 0
            if odd.any():
                self.malformed += int(np.count_nonzero(odd))
                packets = packets.take(~odd)
        slot, offset = self.playout.place(packets.rows, packets.timestamp, packets.age_ns)
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
        stored = self.ring.put(packets.rows, slot, packets.payload(self.payload_bytes), packets.length)
        if not stored.all():
            np.add.at(self.duplicates, packets.rows[~stored], 1)

    def _put_pieces(self, packets: Picked, i: int, slot: int, at: int) -> None:
        """One packet that is longer or shorter than a slot, or lies across a border."""
        row, length, start = int(packets.rows[i]), int(packets.length[i]), int(packets.offset[i])
        payload = packets.batch.data[packets.index[i], start : start + length]
        last = int(self.playout.play[row]) + HORIZON
        while len(payload) and slot < last:
            piece = payload[: self.payload_bytes - at]
            self.ring.put_piece(row, slot, at, piece, self.silence)
            payload, slot, at = payload[len(piece) :], slot + 1, 0

    def pop(self) -> None:
        """See FormatTable."""
        quiet = self._soft()
        self.begin_tick()
        n, playout = self.n, self.playout
        playing, skipping = playout.advance(n, quiet)
        slot = playout.play[:n]
        have = self.ring.has(n, slot) & playing
        self.received = payload = self.ring.read(n, slot)
        self._whole[:n] = have
        if have.all():
            recovered = np.flatnonzero(playout.missed[:n])
            self._decode(payload, self.frames[:n])
        else:
            recovered = np.flatnonzero(have & (playout.missed[:n] > 0))
            payload[~have] = self.silence
            self._decode(payload, self.frames[:n])
            self.frames[:n][~have] = 0
        self._mark_silent(n, payload)
        if len(recovered):
            self._join(recovered, playout.missed[recovered])
            playout.missed[recovered] = 0
        if not have.all():
            self._conceal(self._missing(have))
        if skipping.any():
            self._bridge(np.flatnonzero(skipping & ~quiet & have), playout.play)
        playout.step(n, playing)

    def _mark_silent(self, n: int, payload: NDArray[np.uint8]) -> None:
        """Set `contributes`; the frames of those who sent nothing but silence are made zero."""
        says = np.any(payload != self.silence, axis=1, out=self.contributes[:n])
        if self._silence_sounds and not says.all():
            self.frames[:n][~says] = 0

    def _past(self, rows: Rows) -> NDArray[np.float32]:
        """(rows, 3 * samples): the last 60 ms these legs were heard with, latest last."""
        order = [(self._turn + 1 + k) % HISTORY_FRAMES for k in range(HISTORY_FRAMES - 1)]
        return np.concatenate([self.history[turn, rows] for turn in order], axis=1)

    def _conceal(self, rows: Rows) -> None:
        if len(rows):
            lost = self.playout.missed[rows] - 1
            frames = np.zeros((len(rows), self.samples), np.float32)
            period = self._period[rows]
            conceal(self._past(rows), lost, period, self.sample_rate, frames)
            self._period[rows] = period
            self.frames[rows] = frames
            self.contributes[rows] = frames.any(axis=1)
            self._whole[rows] = False

    def _join(self, rows: Rows, missed: NDArray[np.int32]) -> None:
        """The first frames after a loss: fade over from what concealment would have said next."""
        concealed = missed <= CONCEAL_TICKS
        rows = rows[concealed]
        if len(rows):
            frames = self.frames[rows]
            join(self._past(rows), missed[concealed], self._period[rows], self.sample_rate, frames)
            self.frames[rows] = frames
            self._whole[rows] = False

    def _bridge(self, rows: Rows, play: Rows) -> None:
        """Legs that drop a sounding frame to wait less: fade from the dropped frame into the one played."""
        if not len(rows):
            return
        fade = np.linspace(0.0, 1.0, self.samples, dtype=np.float32)
        for row in rows:
            dropped = int(play[row]) - 1
            place = dropped & self.ring.mask
            if self.ring.key[row, place] != dropped:
                continue
            frame = np.zeros((1, self.samples), np.float32)
            self._decode_dropped(int(row), self.ring.data[row, place][None], frame)
            self.frames[row] = frame[0] * (1 - fade) + self.frames[row] * fade
            self._whole[row] = False

    def encode(self, total: NDArray[np.float32], out: Outgoing) -> None:
        """See FormatTable."""
        n = self.n
        hears = self.hears[:n]
        own = np.flatnonzero(self._own_flags())
        if len(own) * MOST > n * (MOST - 1):
            own = self._all_rows[:n]
        address = np.full(n, self.quiet_row.ctypes.data, np.uint64)
        if hears.any() and (len(own) < n or self._shared_given):
            if not self._shared_given:
                self._limit_shared(total)
                self._encode(self.shared_pcm, self.shared_payload)
            address[hears] = self.shared_payload.ctypes.data
        self._shared_given = False
        own_pcm = self._limit_own(total, own)
        if len(own):
            self._encode(own_pcm, self.own_payload[: len(own)])
            hearing = hears[own]  # of all rows, also those who say nothing: what is theirs is the whole mix
            address[own[hearing]] = _addresses(self.own_payload, len(own))[hearing]
        rows, clips, index = self.played()
        if len(rows):
            self._encode(self._clip_pcm(clips, index), self.played_payload[: len(rows)])
            address[rows] = _addresses(self.played_payload, len(rows))
        live = self.live[:n]
        out.payload_address[self.leg_rows[:n][live]] = address[live]
        out.payload_bytes[self.leg_rows[:n][live]] = self.payload_bytes

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
        if self._whole[row] and self.untouched[row] and self.shared_limiter_gain[0] == 1:
            payload: NDArray[np.uint8] = self.received[row]
            return payload
        return None

    def share(self, payload: NDArray[np.uint8]) -> None:
        """See FormatTable."""
        self.shared_payload[0] = payload
        self._shared_given = True

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        raise NotImplementedError

    def _decode_dropped(self, row: int, payload: NDArray[np.uint8], frame: NDArray[np.float32]) -> None:
        self._decode(payload, frame)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        raise NotImplementedError


class G711Table(SampledTable):
    """PCMU or PCMA: decoded and encoded by table look-up over all rows."""

    def __init__(self, capacity: int, clips: Clips, mu_law: bool) -> None:
        self.silence = g711.MULAW_SILENCE if mu_law else g711.ALAW_SILENCE
        self._silence_sounds = not mu_law
        self._to_pcm = g711.MULAW_DECODE if mu_law else g711.ALAW_DECODE
        self._from_pcm = g711.MULAW_ENCODE if mu_law else g711.ALAW_ENCODE
        super().__init__(capacity, clips, 8000, 8000, 1)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        g711.decode(self._to_pcm, payload, frames)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        g711.encode(self._from_pcm, pcm, payload)


class L16Table(SampledTable):
    """Linear 16 bit, big-endian (RFC 3551 section 4.5.11), mono."""

    silence = 0

    def __init__(self, capacity: int, clips: Clips, sample_rate: int) -> None:
        super().__init__(capacity, clips, sample_rate, sample_rate, 2)

    def _decode(self, payload: NDArray[np.uint8], frames: NDArray[np.float32]) -> None:
        l16.decode(payload, frames)

    def _encode(self, pcm: NDArray[np.int16], payload: NDArray[np.uint8]) -> None:
        l16.encode(pcm, payload)


def _addresses(payload: NDArray[np.uint8], count: int) -> NDArray[np.uint64]:
    """Where the first `count` rows of `payload` lie."""
    return np.uint64(payload.ctypes.data) + np.arange(count, dtype=np.uint64) * np.uint64(payload.shape[1])
