"""The load: participants that talk and listen over UDP, in a process of its own, on a core of its own.

`python -m bench.generator` is told what to do by JSON lines on its input and answers by JSON lines: `ports` at the
start; `{"add": [[ip, port], ...]}` starts the next participants, sending to these addresses, answered `added`;
`{"measure": seconds}` is answered `measuring` when the window opens, `measured` when it closes, and `result`;
the end of the input ends it.

A tick of 20 ms has ten slots of 2 ms; participants are spread over them, as real ones are, and each slot's packets
leave in one system call. The same loop takes what came back. Nothing is decoded while measuring.
"""

import contextlib
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from bench import probe, voices
from bench.batch import HEADER_BYTES, RECEIVED_AT_ONCE, Inbox, Outbox, open_socket
from bench.machine import pin, udp_drops
from bench.voices import PAYLOAD_TYPE, SAMPLE_RATE, TICKS_PER_S, Codec, Voice

SLOTS: Final = 10
TICK_NS: Final = 1_000_000_000 // TICKS_PER_S
SLOT_NS: Final = TICK_NS // SLOTS
MOST_PROBES: Final = 5
_SPREAD: Final = 3
"""Step between the slots of successive participants; prime to SLOTS, so that few probes are spread too."""
_EDGE_TICKS: Final = 5
"""A steady stream's packets may reach a window's ends so much late and still be whole; one that stopped is not."""
_SSRC: Final = 0x1000_0000


@dataclass(frozen=True)
class Load:
    """What a run is made of. The first `probes` of the `talkers` send bursts; the last participant listens for them."""

    codec: Codec
    participants: int
    talkers: int

    @property
    def probes(self) -> int:
        return min(MOST_PROBES, self.talkers, self.participants - 1)


@dataclass(frozen=True)
class Result:
    """What the participants saw in the window."""

    packets_sent: int
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
    generator_cpu: float
    """Share of a core."""
    generator_late_ms: float
    """p99 of how late slots were sent."""


class Generator:
    """All participants of a run."""

    def __init__(self, load: Load) -> None:
        self.load = load
        n = load.participants
        self._sockets = [open_socket() for _ in range(SLOTS)]
        self._members = [
            np.array([i for i in range(n) if i * _SPREAD % SLOTS == slot], np.int64) for slot in range(SLOTS)
        ]
        self._outboxes = [Outbox(s, m) for s, m in zip(self._sockets, self._members, strict=True)]
        for outbox, members in zip(self._outboxes, self._members, strict=True):
            outbox.header[:, 0] = 0x80
            outbox.header[:, 1] = PAYLOAD_TYPE[load.codec]
            outbox.header.view(">u4")[:, 2] = _SSRC + members
        self._lay_out_voices()
        self._inbox = Inbox()
        self._joined = 0
        self._tick = 0
        self._next_ns = time.perf_counter_ns()
        self._open = False
        self._heard: list[probe.Heard] = []
        self._burst_sent_ns: list[int] = []
        self._reset_counts()

    def _lay_out_voices(self) -> None:
        """One pool of packets; each participant loops over a part of it, from a place of its own."""
        codec, n, talkers, probes = self.load.codec, self.load.participants, self.load.talkers, self.load.probes
        loops: list[Voice] = [voices.probing(codec, talkers), voices.talking(codec, talkers), voices.idle(codec)]
        width = max(v.payload.shape[1] for v in loops)
        self._pool = np.concatenate([np.pad(v.payload, ((0, 0), (0, width - v.payload.shape[1]))) for v in loops])
        self._pool_bytes = np.concatenate([v.length for v in loops]).astype(np.uint64)
        count = np.array([len(v.length) for v in loops])
        first = np.concatenate(([0], np.cumsum(count)[:-1]))
        kind = np.where(np.arange(n) < probes, 0, np.where(np.arange(n) < talkers, 1, 2))
        self._first, self._count = first[kind], count[kind]
        self._start = np.random.default_rng(7).integers(0, self._count)
        self._start[:probes] = np.arange(probes) * TICKS_PER_S // max(probes, 1)
        self._bursts = probe.burst_places(codec, loops[0])

    def _reset_counts(self) -> None:
        n = self.load.participants
        self._sent = self._refused = 0
        self._received = np.zeros(n, np.int64)
        self._first_sequence = np.full(n, -1, np.int64)
        self._last_sequence = np.full(n, -1, np.int64)
        self._late_ns: list[int] = []

    @property
    def ports(self) -> list[int]:
        """Our port, by participant."""
        return [self._sockets[i * _SPREAD % SLOTS].getsockname()[1] for i in range(self.load.participants)]

    def add(self, targets: list[tuple[str, int]]) -> None:
        """Let the next participants send, each to its address."""
        for ip, port in targets:
            self._outboxes[self._joined * _SPREAD % SLOTS].aim(self._joined // SLOTS, ip, port)
            self._joined += 1

    def run(self, ticks: int) -> None:
        """Send and receive for so many ticks, in real time."""
        for _ in range(ticks):
            for slot in range(SLOTS):
                self._wait()
                self._send(slot)
                self._receive()
                self._next_ns += SLOT_NS
            self._tick += 1

    def _wait(self) -> None:
        left = self._next_ns - time.perf_counter_ns()
        if left > 0:
            time.sleep(left / 1e9)
            left = self._next_ns - time.perf_counter_ns()
        if left < -TICK_NS:  # stopped by the machine: go on from here instead of catching up in a flood
            self._next_ns -= left
        if self._open:
            self._late_ns.append(-left)

    def _send(self, slot: int) -> None:
        outbox, members = self._outboxes[slot], self._members[slot]
        n = int(np.searchsorted(members, self._joined))
        if n == 0:
            return
        who = members[:n]
        packet = self._first[who] + (self._start[who] + self._tick) % self._count[who]
        outbox.header.view(">u2")[:n, 1] = self._tick
        outbox.header.view(">u4")[:n, 1] = self._tick * (SAMPLE_RATE[self.load.codec] // TICKS_PER_S)
        outbox.payload_address[:n] = self._pool.ctypes.data + packet * self._pool.strides[0]
        outbox.payload_bytes[:n] = self._pool_bytes[packet]
        if self._open and who[0] < self.load.probes:  # a slot's probes are its first rows
            now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)  # the clock the kernel stamps arrivals with
            for p in packet[who < self.load.probes].tolist():
                if p in self._bursts:
                    self._burst_sent_ns.append(now_ns + self._bursts[p])
        refused = outbox.send(n)
        if self._open:
            self._sent += n
            self._refused += refused

    def _receive(self) -> None:
        for sock in self._sockets:
            n = RECEIVED_AT_ONCE
            while n == RECEIVED_AT_ONCE:
                n = self._inbox.receive(sock)
                if n and self._open:
                    self._count_received(n)

    def _count_received(self, n: int) -> None:
        data, length = self._inbox.data[:n], self._inbox.length(n)
        who = self._inbox.participants(n)
        audio = (length > HEADER_BYTES) & (data[:, 0] == 0x80) & ((data[:, 1] & 0x7F) == PAYLOAD_TYPE[self.load.codec])
        audio &= (who >= 0) & (who < self.load.participants)
        rows = np.flatnonzero(audio)
        who = who[rows]
        sequence = data[rows, 2].astype(np.int64) << 8 | data[rows, 3]
        np.add.at(self._received, who, 1)
        self._last_sequence[who] = sequence
        new = np.flatnonzero(self._first_sequence[who] < 0)[::-1]  # reversed: of several, the first stays
        self._first_sequence[who[new]] = sequence[new]
        for i in np.flatnonzero(who == self.load.participants - 1).tolist():
            row = int(rows[i])
            payload = data[row, HEADER_BYTES : length[row]].tobytes()
            self._heard.append(probe.Heard(int(sequence[i]), self._inbox.arrival_ns(row), payload))

    def measure(self, seconds: float, tell: Callable[[dict[str, Any]], None]) -> Result:
        """Open the window for so long; `tell` hears when it opens and closes."""
        ticks = round(seconds * TICKS_PER_S)
        ports = set(self.ports)
        self._reset_counts()
        self._heard.clear()
        self._burst_sent_ns.clear()
        self._receive()  # what waits already belongs to no window
        dropped, cpu_s, wall_ns = udp_drops(ports), time.process_time(), time.perf_counter_ns()
        self._open = True
        tell({"measuring": True})
        self.run(ticks)
        self._open = False
        tell({"measured": True})
        cpu = (time.process_time() - cpu_s) / ((time.perf_counter_ns() - wall_ns) / 1e9)
        span = (self._last_sequence - self._first_sequence) % 0x1_0000 + 1
        expected = np.where((self._received > 0) & (span >= ticks - _EDGE_TICKS), span, ticks)
        received = np.minimum(self._received, expected)
        return Result(
            packets_sent=self._sent,
            packets_refused=self._refused,
            packets_received=int(received.sum()),
            packets_expected=int(expected.sum()),
            delivered=float(received.sum() / expected.sum()),
            participants_unserved=int((self._received == 0).sum()),
            packets_dropped_here=udp_drops(ports) - dropped,
            delay=probe.measure(self.load.codec, self._heard, sorted(self._burst_sent_ns)),
            generator_cpu=cpu,
            generator_late_ms=float(np.percentile(self._late_ns, 99)) / 1e6,
        )

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def serve(generator: Generator, input_fd: int, tell: Callable[[dict[str, Any]], None]) -> None:
    """Run, taking commands between ticks, until the input ends."""
    os.set_blocking(input_fd, False)
    pending = b""
    tell({"ports": generator.ports})
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


def main() -> None:
    load = json.loads(sys.argv[1])
    pin(load.pop("cpu"))
    generator = Generator(Load(**load))
    gc.freeze()
    gc.disable()
    serve(generator, sys.stdin.fileno(), lambda message: print(json.dumps(message), flush=True))
    generator.close()


if __name__ == "__main__":
    main()
