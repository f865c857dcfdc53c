"""From datagrams to packets waiting in their legs' tables.

Every field of every datagram is checked here or by `mixer.rtp`; what fails is counted by reason and dropped, and
nothing a datagram contains can raise. The ordinary batch, in which every packet is good, takes a dozen array
operations; only those that are not good are looked at one kind at a time.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mixer import kernels
from mixer.formats.base import FormatTable
from mixer.formats.picked import Picked
from mixer.legs import NO_SSRC, Demux, Legs
from mixer.protocol import Address, Dtmf, LegConnected, Report
from mixer.reports import RtcpReports
from mixer.rtp.dtmf import Digit
from mixer.rtp.extension import audio_levels
from mixer.rtp.header import DropReason, Headers, parse
from mixer.transports.base import Batch, Transport
from mixer.transports.libc import address_of

COMFORT_NOISE: Final = 13
"""Payload type of RFC 3389; silence is the default, so these packets only prove life."""
SSRC_CHANGES_PER_S: Final = 3
DIGITS_A_LEG: Final = 4
"""All may press at once, when they are asked to: a running digit and the three packets of its end."""
SLOW_PACKETS: Final = 64
"""Learning, digits and reports are taken one by one; more than this in a tick are dropped."""

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Intake:
    """The receiving side of a mixer's tick."""

    def __init__(
        self,
        legs: Legs,
        demux: Demux,
        tables: dict[int, FormatTable],
        transport: Transport,
        rtcp: RtcpReports,
        report: Callable[[Report], None],
        moved: Callable[[], None],
    ) -> None:
        self.legs, self.demux, self.tables = legs, demux, tables
        self.transport, self.rtcp, self._report, self._moved = transport, rtcp, report, moved
        self.dropped: Counter[str] = Counter()
        self.packets = 0
        self.headers = Headers(0)
        self._index = np.zeros(0, np.int64)
        self.pressing: set[int] = set()
        """Rows of legs with a digit held down."""

    def make_room(self, capacity: int) -> None:
        """Batches from now on are so large at most."""
        if self.headers.capacity < capacity:
            self.headers = Headers(capacity)
            self._index = np.arange(capacity)

    def take(self, batch: Batch, now_ns: int, tick: int) -> None:
        """Sort one batch. `tick` counts the mixer's ticks, the clock of digits."""
        n, headers, legs = batch.n, self.headers, self.legs
        parse(batch.data, batch.length, n, headers)
        rows = self.demux.rows(batch.socket[:n], batch.source[:n])
        ours, audio, all_audio = self._recognise(batch, rows)
        index = self._index[:n]
        if all_audio:
            legs.in_any_ns[rows] = now_ns
        else:
            index = self._take_odd(batch, rows, ours, audio, now_ns, tick)
            rows = rows[index]
        if len(index):
            self._count(batch, index, rows, now_ns)
            self._deliver(batch, index, rows, now_ns)

    def _recognise(self, batch: Batch, rows: Rows) -> tuple[Flags, Flags, bool]:
        """(n,) bool, which packets are of a leg's own address, and which audio of its stream; whether all of them are.

        `rows` (n,): their legs, or -1.
        """
        n, headers, legs = batch.n, self.headers, self.legs
        loops = kernels.loops
        if loops is not None:
            ours, audio = np.empty((2, n), np.bool_)
            known = legs.located, legs.source, legs.receives, legs.in_type, legs.in_ssrc
            came = headers.ok, headers.payload_type, headers.ssrc
            return ours, audio, loops.recognise(n, rows, batch.source, *known, *came, ours, audio)
        ours = (rows >= 0) & legs.located[rows] & (legs.source[rows] == batch.source[:n])
        audio = (
            ours
            & headers.ok[:n]
            & legs.receives[rows]
            & (headers.payload_type[:n] == legs.in_type[rows])
            & (headers.ssrc[:n] == legs.in_ssrc[rows])
        )
        return ours, audio, bool(audio.all())

    def _take_odd(self, batch: Batch, rows: Rows, ours: Flags, audio: Flags, now_ns: int, tick: int) -> Rows:
        """Deal with what is not plainly audio of a known stream; returns the audio packets of the batch in order."""
        n, headers, legs = batch.n, self.headers, self.legs
        ok, reason = headers.ok[:n], headers.reason[:n]
        rtcp = headers.is_rtcp[:n]
        self._learn(batch, np.flatnonzero((rows >= 0) & ~legs.located[rows]), rows, now_ns)
        self.dropped["unknown_source"] += int(np.count_nonzero(rows < 0))
        self.dropped["wrong_source"] += int(np.count_nonzero((rows >= 0) & legs.located[rows] & ~ours))
        alive = ours & (ok | rtcp | (reason == DropReason.EMPTY))
        legs.in_any_ns[rows[alive]] = now_ns
        faulty = np.bincount(reason[ours & ~ok & ~rtcp], minlength=1)
        for number in np.flatnonzero(faulty).tolist():
            self.dropped[DropReason(number).name.lower()] += int(faulty[number])
        for i in self._few(np.flatnonzero(ours & rtcp), "rtcp_flood"):
            datagram = batch.data[i, : batch.length[i]].tobytes()
            fault = self.rtcp.receive(int(rows[i]), datagram, int(batch.arrival_ns[i]))
            if fault:
                self.dropped[fault] += 1
        media = ours & ok & ~audio
        unwanted = media & ~legs.receives[rows]
        self.dropped["not_receiving"] += int(np.count_nonzero(unwanted))
        media &= ~unwanted
        kind = headers.payload_type[:n]
        pressed = media & (kind == legs.in_dtmf_type[rows])
        sounding = media & (kind == legs.in_type[rows])
        noise = media & ~pressed & ~sounding & (kind == COMFORT_NOISE)
        self.dropped["comfort_noise"] += int(np.count_nonzero(noise))
        self.dropped["payload_type"] += int(np.count_nonzero(media & ~pressed & ~sounding & ~noise))
        accepted = audio.copy()
        for i in np.flatnonzero(pressed | sounding).tolist():
            if self._same_stream(int(rows[i]), int(headers.ssrc[i]), now_ns, batch, i):
                accepted[i] = True
        self._press(batch, np.flatnonzero(accepted & pressed), rows, now_ns, tick)
        return np.flatnonzero(accepted & ~pressed)

    def _few(self, index: Rows, reason: str, most: int = SLOW_PACKETS) -> list[int]:
        """At most as many as a tick can afford to look at one by one."""
        if len(index) > most:
            self.dropped[reason] += len(index) - most
        return [int(i) for i in index[:most]]

    def _learn(self, batch: Batch, index: Rows, rows: Rows, now_ns: int) -> None:
        """Packets for legs whose far end is not known yet; none of them is played."""
        headers, legs = self.headers, self.legs
        self.dropped["unconfirmed_source"] += len(index)
        for row in np.unique(rows[index[SLOW_PACKETS:]]).tolist():
            learner = legs.learners[row]
            if learner is not None:
                learner.doubt()
        for i in index[:SLOW_PACKETS].tolist():
            row, source = int(rows[i]), int(batch.source[i])
            learner = legs.learners[row]
            if learner is None or not headers.ok[i] or headers.payload_type[i] != legs.in_type[row]:
                continue
            ssrc, sequence = int(headers.ssrc[i]), int(headers.sequence[i])
            if legs.in_ssrc_fixed[row] and ssrc != legs.in_ssrc[row]:
                continue
            if learner.feed(source, ssrc, sequence, int(batch.arrival_ns[i])):
                legs.source[row], legs.located[row], legs.learners[row] = source, True, None
                self.transport.lock(int(legs.socket[row]), address_of(source))
                legs.in_any_ns[row] = now_ns
                self._moved()

    def _same_stream(self, row: int, ssrc: int, now_ns: int, batch: Batch, i: int) -> bool:
        """Whether a packet is of the leg's stream; a new SSRC from the leg's own address begins a new one."""
        legs = self.legs
        if ssrc == legs.in_ssrc[row]:
            return True
        if legs.in_ssrc_fixed[row]:
            self.dropped["wrong_ssrc"] += 1
            return False
        if legs.in_ssrc[row] != NO_SSRC:
            if legs.in_ssrc_changes[row] >= SSRC_CHANGES_PER_S:
                self.dropped["ssrc_flapping"] += 1
                return False
            legs.in_ssrc_changes[row] += 1
            legs.reception.reset(row)
            receiver = legs.dtmf[row]
            if receiver is not None:
                self._tell(row, receiver.reset())
            self.tables[int(legs.table[row])].restart(int(legs.local[row]))
            legs.sender_reports[row] = None
        legs.in_ssrc[row] = ssrc
        return True

    def _press(self, batch: Batch, index: Rows, rows: Rows, now_ns: int, tick: int) -> None:
        """RFC 4733 digits: taken out of the audio, which is silent while they last."""
        headers, legs = self.headers, self.legs
        if len(index):
            self._count(batch, index, rows[index], now_ns)
        for i in self._few(index, "dtmf_flood", SLOW_PACKETS + DIGITS_A_LEG * len(legs)):
            row, start = int(rows[i]), int(headers.offset[i])
            receiver = legs.dtmf[row]
            assert receiver is not None
            payload = batch.data[i, start : start + int(headers.payload_length[i])].tobytes()
            digits = receiver.feed(payload, int(headers.timestamp[i]), bool(headers.marker[i]), tick)
            self.tables[int(legs.table[row])].hush(int(legs.local[row]))
            self._tell(row, digits)
            if receiver.pressing:
                self.pressing.add(row)

    def expire_digits(self, tick: int) -> None:
        """Digits whose end was never heard."""
        legs = self.legs
        for row in list(self.pressing):
            receiver = legs.dtmf[row]
            if receiver is not None:  # else the leg is gone
                self._tell(row, receiver.expire(tick))
            if receiver is None or not receiver.pressing:
                self.pressing.discard(row)

    def _tell(self, row: int, digits: list[Digit]) -> None:
        for digit in digits:
            self._report(Dtmf(self.legs.call_ids[row], digit.digit, digit.duration_ms))

    def _count(self, batch: Batch, index: Rows, rows: Rows, now_ns: int) -> None:
        """Figures of packets that are a leg's own, audio or digits."""
        legs, headers = self.legs, self.headers
        self.packets += len(rows)
        sequence, timestamp, arrival_ns = _of(index, headers.sequence, headers.timestamp, batch.arrival_ns)
        legs.reception.update(rows, sequence, timestamp, arrival_ns, legs.in_clock_rate[rows])
        loops = kernels.loops
        if loops is not None:
            if loops.live_on(rows, now_ns, legs.in_rtp_ns, legs.lost, legs.connected, legs.in_packets):
                return
        else:
            legs.in_packets[: legs.n] += np.bincount(rows, minlength=legs.n)
            legs.in_rtp_ns[rows] = now_ns
            legs.lost[rows] = False
        for row in np.unique(rows[~legs.connected[rows]]).tolist():
            legs.connected[row] = True
            self._report(LegConnected(legs.call_ids[row], Address(*address_of(int(legs.source[row])))))

    def _deliver(self, batch: Batch, index: Rows, rows: Rows, now_ns: int) -> None:
        """Hand audio packets to the tables of their formats."""
        legs, headers = self.legs, self.headers
        timestamp, arrival_ns, offset, length = _of(
            index, headers.timestamp, batch.arrival_ns, headers.offset, headers.payload_length
        )
        packets = Picked(
            batch,
            index,
            legs.local[rows],
            timestamp.astype(np.uint32),
            np.maximum(now_ns - arrival_ns, 0),
            offset,
            length,
            audio_levels(batch.data, index, legs.level_extension[rows]) if legs.level_extension.any() else None,
        )
        if len(self.tables) == 1:
            next(iter(self.tables.values())).insert(packets)
            return
        owner = legs.table[rows]
        for number, table in self.tables.items():
            mine = owner == number
            if mine.any():
                table.insert(packets.take(mine))


def _of(index: Rows, *columns: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """What `columns` have for the packets `index`, a subset in order: views if it is the first packets, all of them."""
    n = len(index)
    if n and index[-1] == n - 1:
        return tuple(column[:n] for column in columns)
    return tuple(column[index] for column in columns)
