"""Packets on their way from a batch to the table of their format."""

import numpy as np
from numpy.typing import NDArray

from mixer.transports.base import Batch

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Picked:
    """The packets of one batch that belong to one table: columns of the same length, in order of arrival."""

    __slots__ = ("age_ns", "batch", "index", "length", "offset", "rows", "says_level", "timestamp")

    def __init__(
        self,
        batch: Batch,
        index: Rows,
        rows: Rows,
        timestamp: NDArray[np.uint32],
        age_ns: NDArray[np.int64],
        offset: NDArray[np.int32],
        length: NDArray[np.int32],
        says_level: NDArray[np.int64] | None = None,
    ) -> None:
        self.batch, self.index, self.rows = batch, index, rows
        self.timestamp, self.age_ns, self.offset, self.length = timestamp, age_ns, offset, length
        self.says_level = says_level
        """RFC 6464 level bytes, -1 where there is none; None if no leg sends them."""

    def take(self, which: Flags | Rows) -> "Picked":
        """A subset."""
        return Picked(
            self.batch,
            self.index[which],
            self.rows[which],
            self.timestamp[which],
            self.age_ns[which],
            self.offset[which],
            self.length[which],
            None if self.says_level is None else self.says_level[which],
        )

    def payload(self, width: int) -> NDArray[np.uint8]:
        """(packets, width) uint8: each packet's payload, with whatever follows it up to `width`."""
        first = int(self.offset[0]) if len(self.offset) else 12
        if (self.offset == first).all():
            return self.batch.data[self.index, first : first + width]
        payload = np.zeros((len(self.index), width), np.uint8)
        for offset in np.unique(self.offset):  # one or two header sizes, or a hostile sender's 80
            mine = self.offset == offset
            part = self.batch.data[self.index[mine], offset : offset + width]
            payload[mine, : part.shape[1]] = part
        return payload
