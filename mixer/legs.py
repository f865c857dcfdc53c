"""The table of legs: one row per call, one column per fact that does not depend on its format.

Rows are stable while a leg lives; columns are valid up to `n`. What a leg sends and is sent as sound is in the table
of its format (`mixer.formats`), at `local[row]` of `tables[row]`.
"""

import heapq
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.columns import grown
from mixer.protocol import AddLeg
from mixer.receive.learn import SourceLearner
from mixer.rtp.dtmf import DtmfReceiver
from mixer.rtp.far_end import FarEndLoss
from mixer.rtp.reception import Reception
from mixer.rtp.rtcp import SenderReport

NO_SSRC: Final = -1
NO_TYPE: Final = -1


class Legs:
    """Columns by row. Those named `in_` describe what the far end sends us, `out_` what we send it."""

    def __init__(self, capacity: int = 16) -> None:
        self.capacity = capacity
        self.n = 0
        self.live = np.zeros(capacity, bool)
        self.table = np.zeros(capacity, np.int64)
        """Index of the format's table in the mixer."""
        self.local = np.zeros(capacity, np.int64)
        """The leg's row in that table."""
        self.socket = np.zeros(capacity, np.int64)
        self.source = np.zeros(capacity, np.uint64)
        """The far end's address; only meaningful if `located`."""
        self.located = np.zeros(capacity, bool)
        self.connected = np.zeros(capacity, bool)
        """A valid packet has come."""
        self.receives = np.zeros(capacity, bool)
        self.sends = np.zeros(capacity, bool)
        self.heard = np.zeros(capacity, bool)
        self.gain = np.zeros(capacity, np.float32)
        """Linear, while the leg is heard."""
        self.whispers = np.zeros(capacity, bool)
        """Some only hear this leg, or nobody."""
        self.audible = np.zeros(capacity, bool)
        """The leg is heard by anybody."""
        self.level_extension = np.zeros(capacity, np.int64)
        """Id of the audio level header extension, 0 if there is none."""

        self.in_type = np.zeros(capacity, np.int64)
        self.in_dtmf_type = np.zeros(capacity, np.int64)
        self.in_ssrc = np.full(capacity, NO_SSRC, np.int64)
        self.in_ssrc_fixed = np.zeros(capacity, bool)
        self.in_ssrc_changes = np.zeros(capacity, np.int64)
        """In the current second."""
        self.in_clock_rate = np.zeros(capacity, np.int64)
        self.in_packets = np.zeros(capacity, np.int64)
        self.in_rtp_ns = np.zeros(capacity, np.int64)
        """When the last RTP came, or when the leg was added."""
        self.in_any_ns = np.zeros(capacity, np.int64)
        self.timeout_ns = np.zeros(capacity, np.int64)
        self.lost = np.zeros(capacity, bool)
        self.timed_out = np.zeros(capacity, bool)

        self.out_type = np.zeros(capacity, np.uint8)
        self.out_ssrc = np.zeros(capacity, np.int64)
        self.out_sequence = np.zeros(capacity, np.int64)
        self.out_timestamp = np.zeros(capacity, np.int64)
        self.out_step = np.zeros(capacity, np.int64)
        """Timestamp units in a tick."""
        self.out_marker = np.zeros(capacity, bool)
        self.out_packets = np.zeros(capacity, np.int64)
        self.out_bytes = np.zeros(capacity, np.int64)
        self.out_report_ns = np.zeros(capacity, np.int64)
        """When the next RTCP report is due."""

        self.reception = Reception(capacity)
        self.far_end = FarEndLoss(capacity)
        self.call_ids: list[str] = [""] * capacity
        self.learners: list[SourceLearner | None] = [None] * capacity
        self.dtmf: list[DtmfReceiver | None] = [None] * capacity
        self.sender_reports: list[tuple[SenderReport, int] | None] = [None] * capacity
        """The last one from the far end, and when it came (ns)."""
        self.row_of: dict[str, int] = {}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.row_of)

    def add(self, command: AddLeg, socket: int, source: int, table: int, now_ns: int) -> int:
        """Fill a row from a command, all but `local`. `source`: the remote address' key, 0 if it must be learnt."""
        if not self._free and self.n == self.capacity:
            self._grow(self.capacity * 2)
        row = heapq.heappop(self._free) if self._free else self.n
        self.n = max(self.n, row + 1)
        self.row_of[command.call_id] = row
        self.call_ids[row] = command.call_id
        self.live[row], self.table[row], self.socket[row] = True, table, socket
        self.source[row], self.located[row] = source, source != 0
        self.connected[row] = self.lost[row] = self.timed_out[row] = False
        self.receives[row], self.sends[row] = command.receives, command.sends
        self._open_incoming(row, command, now_ns)
        self._open_outgoing(row, command, now_ns)
        return row

    def _open_incoming(self, row: int, command: AddLeg, now_ns: int) -> None:
        form = command.format
        self.in_type[row] = form.payload_type
        self.in_dtmf_type[row] = NO_TYPE if form.dtmf_payload_type is None else form.dtmf_payload_type
        self.in_ssrc[row] = NO_SSRC if command.ssrc is None else command.ssrc
        self.in_ssrc_fixed[row] = command.ssrc is not None
        # G.722's clock says 8000 although it samples at 16000 (RFC 3551 section 4.5.2).
        clock_rate = 8000 if form.codec == "g722" else form.sample_rate
        self.in_clock_rate[row] = clock_rate
        self.in_packets[row] = self.in_ssrc_changes[row] = 0
        self.in_rtp_ns[row] = self.in_any_ns[row] = now_ns
        self.timeout_ns[row] = command.media_timeout_ms * 1_000_000
        self.reception.reset(row)
        self.learners[row] = None if self.located[row] else SourceLearner()
        self.dtmf[row] = None if form.dtmf_payload_type is None else DtmfReceiver(clock_rate)
        self.sender_reports[row] = None

    def _open_outgoing(self, row: int, command: AddLeg, now_ns: int) -> None:
        going = command.outgoing
        self.out_type[row] = command.format.payload_type
        self.out_ssrc[row] = going.ssrc
        self.out_sequence[row] = going.sequence
        step = int(self.in_clock_rate[row]) // 50
        away_ticks = max(0, round((now_ns - going.at_ns) / 20_000_000)) if going.at_ns else 0
        self.out_timestamp[row] = going.timestamp + away_ticks * step
        self.out_step[row] = step
        self.out_marker[row] = True
        self.out_packets[row] = self.out_bytes[row] = 0
        self.far_end.reset(row)
        self.out_report_ns[row] = now_ns + 1_000_000_000 + going.ssrc % 4000 * 1_000_000  # spread over the period

    def remove(self, row: int) -> None:
        """Free a row."""
        del self.row_of[self.call_ids[row]]
        self.call_ids[row] = ""
        self.live[row] = self.located[row] = self.sends[row] = self.receives[row] = False
        self.learners[row] = self.dtmf[row] = self.sender_reports[row] = None
        heapq.heappush(self._free, row)
        while self.n and not self.live[self.n - 1]:
            self.n -= 1
            self._free.remove(self.n)
        heapq.heapify(self._free)

    def _grow(self, capacity: int) -> None:
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                setattr(self, name, grown(column, capacity))
        self.reception.grow(capacity)
        self.far_end.grow(capacity)
        more = capacity - self.capacity
        self.call_ids += [""] * more
        self.learners += [None] * more
        self.dtmf += [None] * more
        self.sender_reports += [None] * more
        self.capacity = capacity


class Demux:
    """From a datagram's socket and source to the leg it belongs to."""

    def __init__(self) -> None:
        self.single = np.full(1, -1, np.int64)
        """The leg on each socket that is one leg's own, -1 on others and beyond."""
        self._shared: dict[int, tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}
        self.sources = np.zeros(0, np.uint64)
        """Those of the legs on each shared socket, in order, one socket's after the other's."""
        self.source_rows = np.zeros(0, np.int64)
        self.bounds = np.zeros((1, 2), np.int64)
        """Where each socket's begin and end among `sources`."""

    def build(self, legs: Legs, shared: set[int], sockets: int) -> None:
        """Set up anew after membership changed. `shared`: shared sockets; `sockets`: the highest index + 1."""
        self.single = np.full(sockets + 1, -1, np.int64)
        rows = np.flatnonzero(legs.live[: legs.n])
        on = legs.socket[rows]
        alone = ~np.isin(on, list(shared))
        self.single[on[alone]] = rows[alone]
        self._shared = {}
        for socket in shared:
            mine = rows[on == socket]
            order = np.argsort(legs.source[mine])
            self._shared[socket] = (legs.source[mine][order], mine[order])
        self.bounds = np.zeros((sockets + 1, 2), np.int64)
        first = 0
        for socket, (keys, _) in self._shared.items():
            if socket <= sockets:
                self.bounds[socket] = first, first + len(keys)
            first += len(keys)
        nothing = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        parts = [nothing, *self._shared.values()]
        self.sources = np.concatenate([keys for keys, _ in parts])
        self.source_rows = np.concatenate([rows for _, rows in parts])

    def rows(self, socket: NDArray[np.int32], source: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(n,) int64: the leg of each datagram, -1 if its source on a shared socket is nobody's, or its socket."""
        # A socket may be lent that has no leg yet, or no more: those beyond the table are clipped to its last -1.
        row: NDArray[np.int64] = self.single.take(socket, mode="clip")
        for index, (keys, legs) in self._shared.items():
            mine = socket == index
            everything = bool(mine.all())
            sources = source if everything else source[mine]
            if not len(keys):
                continue
            place = np.minimum(np.searchsorted(keys, sources), len(keys) - 1)
            found = np.where(keys[place] == sources, legs[place], -1)
            if everything:
                return found
            row[mine] = found
        return row
