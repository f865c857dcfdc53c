"""The receiving half of an Opus leg: from packets waiting in the ring to 20 ms of PCM.

A packet holds 10 to 120 ms and may begin at any 10 ms slot, and sound is made shorter or longer, so each leg keeps
what it has decoded beyond this tick (`left`). A hole is filled from the next packet's in-band FEC if it has any, else
by libopus' own concealment, which fades out by itself; a leg of which nothing has come for 100 ms is silent until
something does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.codecs import opus
from mixer.columns import grown
from mixer.receive.playout import Playout
from mixer.receive.ring import SlotRing

SLOT_SAMPLES: Final = 480
TICK_SAMPLES: Final = 960
MOST_SAMPLES: Final = 5760
"""120 ms, the longest packet (RFC 6716 section 2.1.4)."""
CATCH_UP_PACKETS: Final = 5
CONCEAL_TICKS: Final = 5
CONCEAL_STEP: Final = 120
"""libopus makes up multiples of 2.5 ms."""


class OpusDecoding:
    """Decoders and waiting packets of a table's legs.

    `samples` (legs, slots) int32: how long the packet in each slot of the ring is; `silent` (legs, slots) bool: it says
    that nobody speaks.
    """

    def __init__(self, capacity: int, ring: SlotRing, playout: Playout) -> None:
        self.ring, self.playout = ring, playout
        self.decoders: list[opus.Decoder | None] = [None] * capacity
        self.samples = np.zeros((capacity, ring.slots), np.int32)
        self.silent = np.zeros((capacity, ring.slots), bool)
        self.fec = np.zeros(capacity, bool)
        """The sender is known to repeat each frame in the packet after it."""
        self.left = np.zeros(capacity, np.int32)
        self.awake = np.zeros(capacity, bool)
        """The decoder has seen every packet up to now."""
        self.made = np.zeros(capacity, np.int32)
        """Samples at the end of what was decoded that concealment made up."""
        self.failed = 0
        """Packets libopus refused."""
        self._ahead = np.zeros((capacity, 2 * TICK_SAMPLES + MOST_SAMPLES), np.float32)
        self._scratch = np.zeros(MOST_SAMPLES, np.float32)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in ("samples", "silent", "fec", "left", "awake", "made", "_ahead"):
            setattr(self, name, grown(getattr(self, name), capacity))
        self.decoders += [None] * (capacity - len(self.decoders))

    def restart(self, row: int) -> None:
        """Forget a leg's stream."""
        self.decoders[row] = None
        self.left[row] = 0
        self.awake[row] = self.fec[row] = False

    def sleep(self, rows: NDArray[np.int64]) -> None:
        """These legs are not decoded in this tick: their decoders fall behind."""
        self.awake[rows] = False
        self.left[rows] = 0

    def decode(self, row: int, playing: bool, out: NDArray[np.float32]) -> bool:
        """Fill `out` (960,) with what leg `row` says in this tick. Returns whether part of it is made up."""
        decoder = self.decoders[row]
        if decoder is None:
            decoder = self.decoders[row] = opus.Decoder(48000)
        if not playing:
            self._expand(decoder, row, out)
            return True
        slot = int(self.playout.play[row])
        if not self.awake[row]:
            self._catch_up(decoder, row, slot)
        place = slot & self.ring.mask
        if self.left[row] == 0 and self.ring.key[row, place] == slot and self.samples[row, place] == TICK_SAMPLES:
            if self._packet(decoder, row, place, out) == TICK_SAMPLES:
                return False
            decoder.conceal(out, TICK_SAMPLES)
            self.made[row] += TICK_SAMPLES
            return True
        return self._piece_together(decoder, row, out)

    def _expand(self, decoder: opus.Decoder, row: int, out: NDArray[np.float32]) -> None:
        """A tick in which the leg's position stays. What was decoded already is played first: the rest goes on from it.

        libopus makes up multiples of 2.5 ms, so a little more than this tick may be made up, to be played next.
        """
        out.fill(0)
        if not self.awake[row] or self.playout.missed[row] >= CONCEAL_TICKS:
            return
        ahead, left = self._ahead[row], int(self.left[row])
        played = min(left, TICK_SAMPLES)
        made = -(-(TICK_SAMPLES - played) // CONCEAL_STEP) * CONCEAL_STEP
        if made and decoder.conceal(ahead[left:], made) != made:
            ahead[left : left + made] = 0
        self.made[row] += made
        self._take(row, left + made, out)
        if played:
            over = int(self.left[row]) - (left - played)
            self.playout.move(np.array([row]), np.array([played - over]))

    def _take(self, row: int, left: int, out: NDArray[np.float32]) -> None:
        """Move a tick's samples to `out`, of `left` that are decoded."""
        ahead = self._ahead[row]
        out[:] = ahead[:TICK_SAMPLES]
        ahead[: left - TICK_SAMPLES] = ahead[TICK_SAMPLES:left].copy()
        self.left[row] = left - TICK_SAMPLES

    def _head(self, row: int, beyond: int) -> int:
        """The slot that begins so many samples after the position."""
        return int(self.playout.play[row]) + (int(self.playout.phase[row]) + beyond) // SLOT_SAMPLES

    def following(self, row: int, most: int) -> NDArray[np.float32]:
        """(up to `most`,): what has come of what follows the tick just decoded. To be asked before `step`."""
        decoder, ahead = self.decoders[row], self._ahead[row]
        assert decoder is not None  # it has just made this tick's frame
        while self.left[row] < most:
            left = int(self.left[row])
            at = self._head(row, TICK_SAMPLES + left)
            got = self._packet(decoder, row, at & self.ring.mask, ahead[left:]) if self._holds(row, at) else 0
            if got <= 0:
                break
            self.left[row] += got
        more: NDArray[np.float32] = ahead[: min(most, int(self.left[row]))]
        return more

    def drop(self, row: int, samples: int) -> None:
        """So many samples of what comes next were used up."""
        left = int(self.left[row])
        self._ahead[row, : left - samples] = self._ahead[row, samples:left].copy()
        self.left[row] = left - samples

    def push_back(self, row: int, unplayed: NDArray[np.float32]) -> None:
        """The end of the tick just decoded is to be played after all, before what comes next."""
        left, more = int(self.left[row]), len(unplayed)
        self._ahead[row, more : more + left] = self._ahead[row, :left].copy()
        self._ahead[row, :more] = unplayed
        self.left[row] = left + more

    def _packet(self, decoder: opus.Decoder, row: int, place: int, out: NDArray[np.float32]) -> int:
        got = decoder.decode(self._address(row, place), int(self.ring.filled[row, place]), out)
        self.failed += got < 0
        if got > 0:
            self.made[row] = 0
        return got

    def _address(self, row: int, place: int) -> int:
        ring = self.ring
        return int(ring.data.ctypes.data) + (row * ring.slots + place) * ring.slot_bytes

    def _piece_together(self, decoder: opus.Decoder, row: int, out: NDArray[np.float32]) -> bool:
        """The general case: packets of other lengths, off the tick's border, or missing."""
        ahead, left, made_up = self._ahead[row], int(self.left[row]), False
        while left < TICK_SAMPLES:
            at = self._head(row, left)
            place = at & self.ring.mask
            got = 0
            if self.ring.key[row, place] == at:
                got = self._packet(decoder, row, place, ahead[left:])
            if got <= 0:
                got = self._fill(
                    decoder, row, at, ahead[left:], (TICK_SAMPLES - left + SLOT_SAMPLES - 1) // SLOT_SAMPLES
                )
                made_up = True
            left += got
        self._take(row, left, out)
        return made_up

    def _fill(self, decoder: opus.Decoder, row: int, at: int, out: NDArray[np.float32], most_slots: int) -> int:
        """Make up the hole that begins at slot `at`: up to the next packet, at most `most_slots`."""
        gap = 1
        while gap < most_slots and not self._holds(row, at + gap):
            gap += 1
        samples = gap * SLOT_SAMPLES
        following = at + gap
        place = following & self.ring.mask
        self.made[row] += samples
        if self.playout.missed[row] >= CONCEAL_TICKS:
            out[:samples] = 0
            return samples
        if self.fec[row]:
            self.playout.look_ahead(row, blind=not self._holds(row, following))
        if self._holds(row, following) and self.samples[row, place] == samples:
            # FEC tells of the frame just before; without any in the packet libopus conceals.
            got = decoder.decode_fec(self._address(row, place), int(self.ring.filled[row, place]), out, samples)
            if got == samples:
                self.made[row] = 0
                return samples
        if decoder.conceal(out, samples) != samples:
            out[:samples] = 0
        return samples

    def _holds(self, row: int, slot: int) -> bool:
        return bool(self.ring.key[row, slot & self.ring.mask] == slot)

    def _catch_up(self, decoder: opus.Decoder, row: int, slot: int) -> None:
        """Replay the last packets a sleeping decoder missed: waking cold is heard, after three of them it is not."""
        before = range(slot - 2 * CATCH_UP_PACKETS, slot)
        for at in [at for at in before if self._holds(row, at)][-CATCH_UP_PACKETS:]:
            self._packet(decoder, row, at & self.ring.mask, self._scratch)
        self.awake[row] = True
        self.left[row] = 0
