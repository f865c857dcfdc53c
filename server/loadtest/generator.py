"""The load: callers that talk and listen over UDP, in a process of its own, so that nothing else delays them.

`python -m server.loadtest.generator` is told what to do by JSON lines on its input and answers by JSON lines:
`addresses` at the start; `{"add": [[ip, port], ...]}` starts the next callers, sending to these addresses, answered
`added`; `{"measure": seconds}` is answered `measuring` when the window opens, `progress` every second, `measured` when
it closes, and `result`; the end of the input ends it.

A tick of 20 ms has ten slots of 2 ms; callers are spread over them, as real ones are, and each slot's packets leave
together. The same loop takes what came back. Nothing is decoded while measuring.
"""

import contextlib
import gc
import json
import os
import resource
import select
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from server import clock
from server.caller.codecs import codec
from server.loadtest import probe, voices
from server.loadtest.complaints import Complaints
from server.loadtest.load import Load
from server.loadtest.recovery import TOGETHER, Recovery, recovery
from server.loadtest.sockets import Inbox, Outbox, address_of, open_socket, udp_drops
from server.loadtest.tally import Tally
from server.loadtest.uplink import Packets, Uplink
from server.loadtest.voices import TICKS_PER_S, Voice

SLOTS: Final = 10
TICK_S: Final = 1 / TICKS_PER_S
SLOT_S: Final = TICK_S / SLOTS
_SPREAD: Final = 3
"""Step between the slots of successive callers; prime to SLOTS, so that few probes are spread too."""
_SSRC: Final = 0x1000_0000
_SOCKETS_AT_ONCE: Final = 256

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Result:
    """What the callers saw in the window."""

    packets_sent: int
    packets_dropped_on_purpose: int
    packets_refused: int
    """By the kernel, on our side."""
    packets_received: int
    packets_expected: int
    delivered: float
    participants_unserved: int
    """Who got nothing at all."""
    packets_dropped_here: int
    """That the server sent, but our own sockets had no room for; counted as not delivered all the same."""
    delay: probe.Delay
    recovery: Recovery | None
    """Of a load that is held at times."""
    generator_cpu: float
    """Share of a core."""
    generator_late_ms: float
    """p99 of how late slots were sent."""


class Generator:
    """All callers of a run. `ip`: this machine's address that faces the server; None: the server is here too."""

    def __init__(self, load: Load, ip: str | None = None) -> None:
        self.load = load
        self._codec = codec(load.codec)
        everyone = np.arange(load.participants)
        self._callers = [everyone[everyone * _SPREAD % SLOTS == slot] for slot in range(SLOTS)]
        self._open_sockets(ip)
        for outbox, callers in zip(self._outboxes, self._callers, strict=True):
            outbox.header[:, 0] = 0x80
            outbox.header[:, 1] = self._codec.payload_type
            outbox.header.view(">u4")[:, 2] = _SSRC + callers
        self._lay_out_voices()
        self._inbox = Inbox()
        self._joined = 0
        self._tick = 0
        self._next_s = clock.monotonic()
        self._loss = np.random.default_rng(11)
        self._uplink = _uplink(load)
        self._open = False
        self._reset_counts()

    def _open_sockets(self, ip: str | None) -> None:
        """One socket a slot, which all its callers share, or one a caller."""
        shared = ip is None
        per_slot = [1 if shared else len(callers) for callers in self._callers]
        self._sockets = [[open_socket(ip) for _ in range(n)] for n in per_slot]
        self._outboxes = [Outbox(s, c, shared=shared) for s, c in zip(self._sockets, self._callers, strict=True)]
        self._owners: dict[int, int | None] = {}
        self.addresses = [("", 0)] * self.load.participants
        """Where each caller wants its packets."""
        for sockets, callers in zip(self._sockets, self._callers, strict=True):
            for row, caller in enumerate(callers.tolist()):
                sock = sockets[0 if shared else row]
                self._owners[sock.fileno()] = None if shared else caller
                self.addresses[caller] = (address_of(caller) if ip is None else ip, sock.getsockname()[1])
        self._complaints = (
            Complaints(self.load.reported_loss, self._sockets, self._callers, _SSRC, shared=shared)
            if self.load.reported_loss
            else None
        )
        self._epoll = select.epoll()
        for fd in self._owners:
            self._epoll.register(fd, select.EPOLLIN)

    def _lay_out_voices(self) -> None:
        """One pool of packets; each caller loops over a part of it, from a place of its own."""
        load = self.load
        loops: list[Voice] = [
            *(voices.probing(load.codec, load.talkers, turn, load.probes) for turn in range(load.probes)),
            voices.talking(load.codec, load.talkers),
            voices.idle(load.codec),
        ]
        width = max(v.payload.shape[1] for v in loops)
        self._pool = np.concatenate([np.pad(v.payload, ((0, 0), (0, width - v.payload.shape[1]))) for v in loops])
        self._pool_bytes = np.concatenate([v.length for v in loops]).astype(np.uint64)
        count = np.array([len(v.length) for v in loops])
        first = np.concatenate(([0], np.cumsum(count)[:-1]))
        everyone = np.arange(load.participants)
        talks = everyone % load.parties < load.talkers
        loop = np.where(everyone < load.probes, everyone, np.where(talks, load.probes, load.probes + 1))
        self._first, self._count = first[loop], count[loop]
        self._start = np.random.default_rng(7).integers(0, self._count)
        self._start[: load.probes] = 0
        self._bursts: dict[int, int] = {}
        """Packet of the pool → ns into it, of each burst."""
        for begin, voice in zip(first.tolist(), loops[: load.probes], strict=False):
            places = probe.burst_places(load.codec, voice)
            self._bursts |= {begin + packet: offset_ns for packet, offset_ns in places.items()}

    def _reset_counts(self) -> None:
        self._sent = self._dropped = self._refused = 0
        self._tally = Tally(self.load.participants, self.load.listener, self._codec.payload_type)
        self._bursts_sent: list[probe.Sent] = []
        self._late_s: list[float] = []

    def add(self, targets: list[tuple[str, int]]) -> None:
        """Let the next callers send, each to its address."""
        for ip, port in targets:
            slot, row = self._joined * _SPREAD % SLOTS, self._joined // SLOTS
            self._outboxes[slot].aim(row, ip, port)
            if self._complaints is not None:
                self._complaints.aim(slot, row, ip, port)
            self._joined += 1

    def run(self, ticks: int) -> None:
        """Send and receive for so many ticks, in real time."""
        for _ in range(ticks):
            for slot in range(SLOTS):
                self._wait()
                self._send(slot)
                if self._complaints is not None:
                    self._complaints.send(slot, self._tick)
                self._receive()
                self._next_s += SLOT_S
            self._tick += 1

    def _wait(self) -> None:
        left_s = self._next_s - clock.monotonic()
        if left_s > 0:
            select.select([], [], [], left_s)
            left_s = self._next_s - clock.monotonic()
        if left_s < -TICK_S:  # stopped by the machine: go on from here instead of catching up in a flood
            self._next_s -= left_s
        if self._open:
            self._late_s.append(-left_s)

    def _send(self, slot: int) -> None:
        n = int(np.searchsorted(self._callers[slot], self._joined))
        rows = np.arange(n)
        if self.load.loss:
            rows = rows[self._loss.random(n) >= self.load.loss]
        if self._open:
            self._note_bursts(slot, rows)
            self._dropped += n - len(rows)
        packets = Packets(slot, self._tick, rows)
        if self._uplink is None:
            self._emit(packets)
            return
        now = self._tick * SLOTS + slot
        self._uplink.put(packets, now)
        for arrived in self._uplink.arrived(now):
            self._emit(arrived)

    def _packets(self, slot: int, tick: int, rows: np.ndarray) -> np.ndarray:
        """Which of the pool they are."""
        who = self._callers[slot][rows]
        packets: np.ndarray = self._first[who] + (self._start[who] + tick) % self._count[who]
        return packets

    def _emit(self, packets: Packets) -> None:
        slot, tick, rows = packets
        outbox, packet = self._outboxes[slot], self._packets(slot, tick, rows)
        outbox.header.view(">u2")[rows, 1] = tick & 0xFFFF
        outbox.header.view(">u4")[rows, 1] = tick * self._codec.clock_step & 0xFFFFFFFF
        outbox.payload_address[rows] = self._pool.ctypes.data + packet * self._pool.strides[0]
        outbox.payload_bytes[rows] = self._pool_bytes[packet]
        refused = outbox.send(rows)
        if self._open:
            self._sent += len(rows)
            self._refused += refused

    def _note_bursts(self, slot: int, rows: np.ndarray) -> None:
        """Note what is said now, whatever the network then does to it."""
        who = self._callers[slot][rows]
        if len(who) == 0 or who[0] >= self.load.probes:  # a slot's probes are its first rows
            return
        now_ns = int(clock.now() * 1e9)  # the clock the kernel stamps arrivals with
        for caller, number in zip(who.tolist(), self._packets(slot, self._tick, rows).tolist(), strict=True):
            if caller < self.load.probes and number in self._bursts:
                self._bursts_sent.append(probe.Sent(now_ns + self._bursts[number], caller))

    def _receive(self) -> None:
        ready = self._epoll.poll(0, _SOCKETS_AT_ONCE)
        for fd, _ in ready:
            self._inbox.take(fd, self._owners[fd])
            while self._inbox.full:
                self._count_received()
                self._inbox.take(fd, self._owners[fd])
        self._count_received()

    def _count_received(self) -> None:
        if self._complaints is not None and self._inbox.filled:
            self._complaints.note(self._inbox, self._codec.payload_type)
        if self._open and self._inbox.filled:
            self._tally.count(self._inbox)
        self._inbox.clear()

    def measure(self, seconds: float, tell: Tell) -> Result:
        """Open the window for so long; `tell` hears when it opens, how it goes on, and when it closes."""
        ticks = round(seconds * TICKS_PER_S)
        ports = {port for _, port in self.addresses}
        self._receive()  # what waits already belongs to no window
        self._reset_counts()
        dropped, cpu_s, from_s = udp_drops(ports), _own_cpu_s(), clock.monotonic()
        self._open = True
        if self._uplink is not None:
            self._uplink.open(self._tick * SLOTS)
        opened_ns = int(clock.now() * 1e9)
        tell({"measuring": True})
        for tick in range(ticks):
            self.run(1)
            if (tick + 1) % TICKS_PER_S == 0:
                tell({"progress": {"tick": tick + 1, "sent": self._sent, "received": self._tally.received}})
        self._open = False
        tell({"measured": True})
        cpu = (_own_cpu_s() - cpu_s) / (clock.monotonic() - from_s)
        received, expected = self._tally.delivered(ticks)
        together = TOGETHER if self.load.hold_ms else None
        echoes = probe.echoes(self.load.codec, self._tally.heard, sorted(self._bursts_sent), together)
        return Result(
            packets_sent=self._sent,
            packets_dropped_on_purpose=self._dropped,
            packets_refused=self._refused,
            packets_received=received,
            packets_expected=expected,
            delivered=received / expected,
            participants_unserved=self._tally.unserved,
            packets_dropped_here=udp_drops(ports) - dropped,
            delay=probe.delay(echoes, len(self._bursts_sent)),
            recovery=recovery(echoes, opened_ns, seconds, self.load) if self.load.hold_ms else None,
            generator_cpu=cpu,
            generator_late_ms=float(np.percentile(self._late_s, 99)) * 1000,
        )

    def close(self) -> None:
        """Close the sockets."""
        self._epoll.close()
        for sock in [sock for sockets in self._sockets for sock in sockets]:
            sock.close()


def _uplink(load: Load) -> Uplink | None:
    if not load.jitter_ms and not load.hold_ms:
        return None
    slot_ms = 1000 * SLOT_S
    return Uplink(round(load.jitter_ms / slot_ms), round(load.hold_ms / slot_ms), TICKS_PER_S * SLOTS)


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def serve(generator: Generator, input_fd: int, tell: Tell) -> None:
    """Run, taking commands between ticks, until the input ends."""
    os.set_blocking(input_fd, False)
    pending = b""
    tell({"addresses": generator.addresses})
    while True:
        with contextlib.suppress(BlockingIOError):
            data = os.read(input_fd, 1 << 16)
            if not data:
                return
            pending += data
        *lines, pending = pending.split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "add" in command:
                generator.add([(ip, port) for ip, port in command["add"]])
                tell({"added": len(command["add"])})
            else:
                tell({"result": asdict(generator.measure(command["measure"], tell))})
        generator.run(1)


def _tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Be a load generator; the only argument says what load, where, on which core."""
    told = json.loads(sys.argv[1])
    if told["core"] is not None:
        os.sched_setaffinity(0, {told["core"]})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    generator = Generator(Load(**told["load"]), told["ip"])
    gc.freeze()
    gc.disable()
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone: so are we
        serve(generator, sys.stdin.fileno(), _tell)
    generator.close()


if __name__ == "__main__":
    main()
