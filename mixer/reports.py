"""RTCP of all legs: what their far ends report, and what we report to them (RFC 3550 section 6).

Reports are few, one a leg in five seconds, so they are read and written one by one, a bounded number a tick.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mixer.legs import NO_SSRC, Legs
from mixer.protocol import LegBye, Report
from mixer.rtp.rtcp import (
    Bye,
    Packet,
    ReceiverReport,
    ReportBlock,
    RtcpError,
    SenderInfo,
    SenderReport,
    build_bye,
    build_report,
    delay_units,
    ntp_from_unix_ns,
    ntp_middle,
    parse,
    round_trip_ns,
)
from mixer.transports.base import Transport

PERIOD_NS: Final = 5_000_000_000
A_TICK: Final = 16
"""Reports sent in one tick at most: 4 000 legs in the period."""
_NO_ROWS: Final = np.zeros(0, np.int64)


class RtcpReports:
    """Reads and writes the reports of a mixer's legs."""

    def __init__(self, legs: Legs, transport: Transport, report: Callable[[Report], None]) -> None:
        self.legs, self.transport, self._report = legs, transport, report
        self.next_ns = 0
        """Before this nobody's turn to be reported to comes: `send_due` need not be called."""
        self._fractions: dict[int, int] = {}
        """The worst loss of our stream that each leg has reported since `judge`, of 256."""
        self._wall_ns = 0
        """What the wall clock is ahead of the monotonic one, as of when reports were last looked at."""

    def receive(self, row: int, datagram: bytes, arrival_ns: int) -> str:
        """Take a compound from a leg's own address. Returns why it was dropped, or an empty string."""
        try:
            packets = parse(datagram)
        except RtcpError as error:
            return error.fault.value
        for packet in packets:
            if isinstance(packet, SenderReport) and packet.ssrc == self.legs.in_ssrc[row]:
                self.legs.sender_reports[row] = (packet, arrival_ns)
            if isinstance(packet, SenderReport | ReceiverReport):
                self._note(row, packet.blocks, arrival_ns)
        if self._ends(row, packets):
            self._report(LegBye(self.legs.call_ids[row]))
        return ""

    def _note(self, row: int, blocks: tuple[ReportBlock, ...], arrival_ns: int) -> None:
        for block in blocks:
            if block.ssrc != self.legs.out_ssrc[row]:
                continue
            self._fractions[row] = max(block.fraction_lost, self._fractions.get(row, 0))
            arrived = ntp_middle(ntp_from_unix_ns(arrival_ns + self._wall_ns))
            round_trip = round_trip_ns(block, arrived)
            if round_trip is not None:
                self.legs.far_end.round_trip_ns[row] = round_trip

    def forget(self, row: int) -> None:
        """The leg is gone; another may get its row."""
        self._fractions.pop(row, None)

    def judge(self, now_ns: int) -> NDArray[np.int64]:
        """Take all reports that have come since the last time; returns the rows that became lossy or ceased to be."""
        if not self._fractions:
            return _NO_ROWS
        rows = np.fromiter(self._fractions, np.int64)
        fractions = np.fromiter(self._fractions.values(), np.int64)
        self._fractions.clear()
        return self.legs.far_end.take(rows, fractions, now_ns)

    def _ends(self, row: int, packets: list[Packet]) -> bool:
        """A BYE for the leg's stream, or for any if it never sent one."""
        known = int(self.legs.in_ssrc[row])
        return any(isinstance(packet, Bye) and (known == NO_SSRC or known in packet.ssrcs) for packet in packets)

    def look_anew(self) -> None:
        """Legs came, or became known, whose turn may be sooner than that of the others."""
        self.next_ns = 0

    def send_due(self, now_ns: int, unix_ns: int) -> None:
        """Report to the legs whose turn it is. `unix_ns`: the wall clock at `now_ns`."""
        self._wall_ns = unix_ns - now_ns
        if now_ns < self.next_ns:
            return
        legs = self.legs
        rows = np.flatnonzero(legs.live[: legs.n] & legs.located[: legs.n])
        due_ns = legs.out_report_ns[rows]
        due = rows[due_ns <= now_ns]
        waiting_ns = due_ns[due_ns > now_ns]
        self.next_ns = 0 if len(due) > A_TICK else int(waiting_ns.min(initial=now_ns + PERIOD_NS))
        for row in due[:A_TICK].tolist():
            legs.out_report_ns[row] = now_ns + PERIOD_NS
            self._send(
                row,
                build_report(int(legs.out_ssrc[row]), legs.call_ids[row], *self._figures(row, now_ns, unix_ns)),
            )

    def _figures(self, row: int, now_ns: int, unix_ns: int) -> tuple[tuple[ReportBlock, ...], SenderInfo | None]:
        legs = self.legs
        last_sr = delay = 0
        heard = legs.sender_reports[row]
        if heard is not None:
            last_sr, delay = ntp_middle(heard[0].sender.ntp), delay_units(max(0, now_ns - heard[1]))
        block = None
        if legs.in_ssrc[row] != NO_SSRC:
            block = legs.reception.report(row, int(legs.in_ssrc[row]), last_sr, delay)
        sender = None
        if legs.out_packets[row]:
            sender = SenderInfo(
                ntp_from_unix_ns(unix_ns),
                int(legs.out_timestamp[row] - legs.out_step[row]) & 0xFFFFFFFF,  # of the packet just sent
                int(legs.out_packets[row]) & 0xFFFFFFFF,
                int(legs.out_bytes[row]) & 0xFFFFFFFF,
            )
        return (block,) if block else (), sender

    def bye(self, row: int) -> None:
        """Tell the far end that our stream is over."""
        if self.legs.located[row]:
            self._send(row, build_bye(int(self.legs.out_ssrc[row]), self.legs.call_ids[row]))

    def _send(self, row: int, datagram: bytes) -> None:
        self.transport.send_to(int(self.legs.socket[row]), int(self.legs.source[row]), datagram)
