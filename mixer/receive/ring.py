"""Packets waiting for their turn: a ring of payload slots per leg, in columns.

A slot holds the payload of 20 ms of a byte-per-sample codec (or 10 ms of media time and whatever packet begins
there, for Opus). Packets that fill exactly one slot, nearly all of them, go in by one array assignment for the
whole batch; odd sizes are cut at slot borders one by one. Slots are not cleared when played: the last packets of a
leg stay readable for decoders that must catch up.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Rows = NDArray[np.int64]
EMPTY = -1


class SlotRing:
    """`data` (legs, slots, slot_bytes) uint8; `key` (legs, slots) int64, the slot number each holds or EMPTY;
    `filled` (legs, slots) int32 bytes; `pieces` like `data` bool, what of a slot stored in pieces is there.
    """

    def __init__(self, capacity: int, slots: int, slot_bytes: int) -> None:
        assert slots & (slots - 1) == 0, "a power of two, so that a mask finds the place"
        self.slots, self.slot_bytes, self.mask = slots, slot_bytes, slots - 1
        self._cut = False
        """Something was stored in pieces."""
        self._make(capacity)

    def _make(self, capacity: int) -> None:
        size = capacity * self.slots * self.slot_bytes
        flat = np.zeros(size + self.slot_bytes, np.uint8)  # a slot more: the last leg's windows may reach beyond
        self.data = flat[:size].reshape(capacity, self.slots, self.slot_bytes)
        self._windows = sliding_window_view(flat, self.slot_bytes)
        self.pieces = np.zeros((capacity, self.slots, self.slot_bytes), bool)
        self.key = np.full((capacity, self.slots), EMPTY, np.int64)
        self.filled = np.zeros((capacity, self.slots), np.int32)
        self.index = np.arange(capacity)
        self._first = self.index * self.slots

    def grow(self, capacity: int) -> None:
        """Make room; waiting packets stay."""
        data, key, filled, pieces = self.data, self.key, self.filled, self.pieces
        self._make(capacity)
        n = len(key)
        self.key[:n], self.filled[:n] = key, filled
        held = key != EMPTY  # only what is held: untouched memory stays unallocated
        rows, places = np.nonzero(held)
        self.data[rows, places] = data[rows, places]
        if self._cut:
            rows, places = np.nonzero(held & (filled < self.slot_bytes))
            self.pieces[rows, places] = pieces[rows, places]

    def clear(self, row: int) -> None:
        """Forget a leg's packets."""
        self.key[row] = EMPTY

    def put(self, rows: Rows, slot: Rows, payload: NDArray[np.uint8], length: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Store packets that belong to one slot each.

        `payload` (n, width) uint8 with width ≤ slot_bytes, `length` (n,) bytes of each. Returns (n,) bool: stored;
        False is a duplicate of what the slot holds or of another packet in this batch.
        """
        place = slot & self.mask
        new = self.key[rows, place] != slot
        if not new.all():
            rows, slot, place, payload, length = rows[new], slot[new], place[new], payload[new], length[new]
        self.key[rows, place] = slot
        self.filled[rows, place] = np.arange(len(rows))  # who wrote last, where two packets name one slot
        last = self.filled[rows, place] == np.arange(len(rows))
        if not last.all():
            rows, place, payload, length = rows[last], place[last], payload[last], length[last]
            new[np.flatnonzero(new)[~last]] = False
        self.data[rows, place, : payload.shape[1]] = payload
        self.filled[rows, place] = length
        stored: NDArray[np.bool_] = new
        return stored

    def put_piece(self, row: int, slot: int, at: int, piece: NDArray[np.uint8], silence: int) -> bool:
        """Store part of a slot, `at` bytes into it; what no packet brings is `silence`. False: all of it was there."""
        self._cut = True
        place = slot & self.mask
        there = self.pieces[row, place]
        if self.key[row, place] != slot:
            self.key[row, place] = slot
            self.filled[row, place] = 0
            self.data[row, place] = silence
            there[:] = False
        elif self.filled[row, place] == self.slot_bytes:
            return False
        part = slice(at, at + len(piece))
        new = not there[part].all()
        self.data[row, place, part] = piece
        there[part] = True
        self.filled[row, place] = np.count_nonzero(there)
        return new

    def has(self, n: int, slot: Rows) -> NDArray[np.bool_]:
        """(n,) bool: the first `n` legs hold these slots."""
        held: NDArray[np.bool_] = self.key.reshape(-1).take(self._first[:n] + (slot & self.mask)) == slot
        return held

    def arrived(self, row: int, slot: int, least_bytes: int) -> bool:
        """So much of one leg's slot has come, and nothing was stored over it since; also if it was played already."""
        place = slot & self.mask
        return bool(self.key[row, place] == slot and self.filled[row, place] >= least_bytes)

    def complete(self, n: int, slot: Rows) -> NDArray[np.bool_]:
        """(n,) bool: the first `n` legs hold these slots to the last byte; only of rings whose packets fill them."""
        whole = self.has(n, slot)
        if self._cut:
            whole &= self.filled.reshape(-1).take(self._first[:n] + (slot & self.mask)) == self.slot_bytes
        return whole

    def read(self, n: int, slot: Rows, at: Rows | None = None) -> NDArray[np.uint8]:
        """(n, slot_bytes) uint8: what the first `n` legs hold in the places of these slots, right or wrong.

        `at` (n,): so many bytes into each slot, and as many of the slot after it.
        """
        place = slot & self.mask
        if at is None:
            payload: NDArray[np.uint8] = self.data[self.index[:n], place]
            return payload
        first = (self._first[:n] + place) * self.slot_bytes + at
        payload = self._windows[first]
        for row in np.flatnonzero((place == self.mask) & (at > 0)).tolist():
            payload[row, self.slot_bytes - at[row] :] = self.data[row, 0, : at[row]]
        return payload

    def there(self, row: int, slot: int, at: int) -> NDArray[np.bool_]:
        """(slot_bytes,) bool: which bytes have come of those `read` tells of one leg."""
        parts = []
        for number, part in ((slot, slice(at, None)), (slot + 1, slice(0, at))):
            place = number & self.mask
            if self.key[row, place] != number:
                parts.append(np.zeros(self.slot_bytes, bool)[part])
            elif self.filled[row, place] == self.slot_bytes:
                parts.append(np.ones(self.slot_bytes, bool)[part])
            else:
                parts.append(self.pieces[row, place][part])
        return np.concatenate(parts)

    def stretch(self, row: int, slot: int, at: int, most: int) -> NDArray[np.uint8]:
        """(up to `most`,) uint8: what has come of one leg from `at` bytes into a slot on, as far as it is complete."""
        parts = [np.zeros(0, np.uint8)]
        while most > 0:
            place = slot & self.mask
            if self.key[row, place] != slot or self.filled[row, place] < self.slot_bytes:
                break
            parts.append(self.data[row, place, at : at + most])
            slot, at, most = slot + 1, 0, most - len(parts[-1])
        return np.concatenate(parts)
