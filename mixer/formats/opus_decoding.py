"""The receiving half of an Opus leg: from packets waiting in the ring to 20 ms of PCM.

A packet holds 10 to 120 ms and may begin at any 10 ms slot, so each leg keeps what it has decoded beyond this tick
(`left`). A hole is filled from the next packet's in-band FEC if it has any, else by libopus' own concealment, which
fades out by itself; a leg of which nothing has come for 100 ms is silent until something does.
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
        self.failed = 0
        """Packets libopus refused."""
        self._ahead = np.zeros((capacity, TICK_SAMPLES + MOST_SAMPLES), np.float32)
        self._scratch = np.zeros(MOST_SAMPLES, np.float32)

    def grow(self, capacity: int) -> None:
        """Make room for more legs."""
        for name in ("samples", "silent", "fec", "left", "awake", "_ahead"):
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
            out.fill(0)
            if self.awake[row] and self.playout.missed[row] < CONCEAL_TICKS:
                decoder.conceal(out, TICK_SAMPLES)
            return True
        slot = int(self.playout.play[row])
        if not self.awake[row]:
            self._catch_up(decoder, row, slot)
        place = slot & self.ring.mask
        if self.left[row] == 0 and self.ring.key[row, place] == slot and self.samples[row, place] == TICK_SAMPLES:
            if self._packet(decoder, row, place, out) == TICK_SAMPLES:
                return False
            decoder.conceal(out, TICK_SAMPLES)
            return True
        return self._piece_together(decoder, row, slot, out)

    def skip(self, row: int, slot: int, out: NDArray[np.float32]) -> None:
        """Decode the slots of a tick that will not be played, so that the next may follow: `out` (960,) is scratch."""
        decoder = self.decoders[row]
        if decoder is not None and self.awake[row]:
            self._piece_together(decoder, row, slot, out)

    def _packet(self, decoder: opus.Decoder, row: int, place: int, out: NDArray[np.float32]) -> int:
        got = decoder.decode(self._address(row, place), int(self.ring.filled[row, place]), out)
        self.failed += got < 0
        return got

    def _address(self, row: int, place: int) -> int:
        ring = self.ring
        return int(ring.data.ctypes.data) + (row * ring.slots + place) * ring.slot_bytes

    def _piece_together(self, decoder: opus.Decoder, row: int, slot: int, out: NDArray[np.float32]) -> bool:
        """The general case: packets of other lengths, off the tick's border, or missing."""
        ahead, left, made_up = self._ahead[row], int(self.left[row]), False
        while left < TICK_SAMPLES:
            at = slot + left // SLOT_SAMPLES
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
        out[:] = ahead[:TICK_SAMPLES]
        ahead[: left - TICK_SAMPLES] = ahead[TICK_SAMPLES:left].copy()
        self.left[row] = left - TICK_SAMPLES
        return made_up

    def _fill(self, decoder: opus.Decoder, row: int, at: int, out: NDArray[np.float32], most_slots: int) -> int:
        """Make up the hole that begins at slot `at`: up to the next packet, at most `most_slots`."""
        gap = 1
        while gap < most_slots and not self._holds(row, at + gap):
            gap += 1
        samples = gap * SLOT_SAMPLES
        following = at + gap
        place = following & self.ring.mask
        if self.playout.missed[row] >= CONCEAL_TICKS:
            out[:samples] = 0
            return samples
        if self.fec[row]:
            self.playout.look_ahead(row, blind=not self._holds(row, following))
        if self._holds(row, following) and self.samples[row, place] == samples:
            # FEC tells of the frame just before; without any in the packet libopus conceals.
            got = decoder.decode_fec(self._address(row, place), int(self.ring.filled[row, place]), out, samples)
            if got == samples:
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
