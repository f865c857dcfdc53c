"""The mixer process: one thread that ticks every 20 ms on an absolute schedule and carries out commands in between.

Nothing here waits for anything but the next tick or the next command. With no legs there is nothing to mix and no
tick: the process sleeps until a command comes or a heartbeat is due.
"""

import gc
import os
import resource
import socket
from collections.abc import Iterator
from itertools import islice
from typing import Final

from mixer import clock, kernels
from mixer.commands import Commands
from mixer.control import Control
from mixer.privileges import Privileges
from mixer.protocol import Done, Heartbeat, LegStats, LogLine, MixerConfig, Ready, Stats
from mixer.tick import TICK_NS, Mixer
from mixer.transports.udp import UdpTransport

HEARTBEAT_NS: Final = 1_000_000_000
GIVE_UP_NS: Final = 500_000_000
"""Later than this, lost ticks are not made up for."""
COMPLAIN_NS: Final = 60 * HEARTBEAT_NS
STATS_PART: Final = 25
COLLECT_TICKS: Final = 500
COLLECT_SLACK_NS: Final = 10_000_000


def run(control_socket: socket.socket, config: MixerConfig) -> int:
    """Serve one conference until told to stop or until the server is gone; returns the exit code."""
    if not config.compiled:
        kernels.unload()
    loop = Loop(Control(control_socket), config)
    try:
        return loop.run()
    finally:
        loop.close()


class Loop:
    """The schedule of one mixer process."""

    def __init__(self, control: Control, config: MixerConfig) -> None:
        self.control = control
        self.transport = UdpTransport()
        self.mixer = Mixer(config, self.transport, control.send)
        self.commands = Commands(self.mixer, self.transport, control.send)
        self._stats: list[tuple[int, Iterator[LegStats]]] = []
        self._privileges = Privileges()
        self._due_ns = 0
        self._heartbeat_ns = 0
        self._overflow_told = self._complain_ns = 0

    def run(self) -> int:
        """See `run`."""
        clock.set_timer_slack_ns(1)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._privileges.claim(self.mixer.config)
        self.control.send(Ready(os.getpid()))
        while not self.control.closed and self.commands.stopped_by is None:
            self._once()
        if self.commands.stopped_by is not None:
            self.control.send(Done(self.commands.stopped_by))
            self._heartbeat(clock.monotonic_ns())
            return 0
        return 1  # the server is gone

    def _once(self) -> None:
        """Wait for what comes first: a command, the tick or the heartbeat; and do it."""
        ticking = len(self.mixer.legs) > 0
        wake_ns = self._due_ns if ticking else self._heartbeat_ns
        if clock.wait_until(wake_ns, self.control.fileno()):
            self._take_commands(ticking)
            if not ticking or clock.monotonic_ns() < self._due_ns:
                self._send_stats()
                return
        now_ns = clock.monotonic_ns()
        if ticking and now_ns >= self._due_ns:
            self._tick(now_ns)
        if now_ns >= self._heartbeat_ns:
            self._heartbeat(now_ns)
            if not ticking:
                self.mixer.pass_time(now_ns)
                gc.collect()
        if self._stats:
            self._send_stats()
        if self.control.behind:
            self.control.flush()

    def _take_commands(self, was_ticking: bool) -> None:
        now_ns = clock.monotonic_ns()
        if not was_ticking:
            self.mixer.pass_time(now_ns)
        for command, fds in self.control.receive():
            self.commands.apply(command, fds, now_ns)
        if not was_ticking and len(self.mixer.legs):
            self._due_ns = now_ns
        self._stats += [(request_id, self.mixer.stats()) for request_id in self.commands.take_stats_requests()]

    def _tick(self, now_ns: int) -> None:
        lateness_ns = now_ns - self._due_ns
        if lateness_ns > GIVE_UP_NS:
            lost = lateness_ns // TICK_NS
            self.mixer.skip(lost)
            self._due_ns += lost * TICK_NS
        self.mixer.tick(now_ns, clock.realtime_ns())
        done_ns = clock.monotonic_ns()
        self.mixer.times.add(lateness_ns, done_ns - now_ns, TICK_NS)
        self._due_ns += TICK_NS
        if self.mixer.times.ticks % COLLECT_TICKS == 0 and self._due_ns - done_ns > COLLECT_SLACK_NS:
            gc.collect(0)  # what little came since the last time; all of it when there is nothing to mix

    def _heartbeat(self, now_ns: int) -> None:
        mixer, intake = self.mixer, self.mixer.intake
        dropped = {reason: count for reason, count in intake.dropped.items() if count}
        dropped |= mixer.malformed()
        if overflow := self.transport.overflow():
            dropped["overflow"] = overflow
            self._complain_of(overflow, now_ns)
        times = mixer.times
        self.control.send(
            Heartbeat(
                len(mixer.legs),
                times.ticks,
                times.late_ticks,
                intake.packets,
                mixer.packets_out,
                dropped,
                _cpu_s(),
            )
        )
        for line in self._privileges.take_news():
            self.control.send(line)
        self._heartbeat_ns = now_ns + HEARTBEAT_NS

    def _complain_of(self, overflow: int, now_ns: int) -> None:
        """Have it logged that datagrams were lost on this machine: nobody hears the difference to a bad network."""
        if overflow > self._overflow_told and now_ns >= self._complain_ns:
            lost = overflow - self._overflow_told
            self.control.send(LogLine("warning", "receive buffer overflowed", {"datagrams": lost}))
            self._overflow_told, self._complain_ns = overflow, now_ns + COMPLAIN_NS

    def _send_stats(self) -> None:
        """One part of each answer that is owed."""
        for request_id, lines in list(self._stats):
            part = list(islice(lines, STATS_PART))
            last = len(part) < STATS_PART
            figures = self.mixer.times.describe(_cpu_s()) if last else None
            self.control.send(Stats(request_id, part, last, figures))
            if last:
                self._stats.remove((request_id, lines))

    def close(self) -> None:
        """Close every socket, and the feed of what is recorded: its recorder then knows that this is the end."""
        self.mixer.stop_recording()
        self.transport.close()
        self.control.close()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
