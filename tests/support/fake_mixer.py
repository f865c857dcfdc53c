"""A mixer without media: it answers the protocol, and misbehaves on request.

How it is born is told by its name: `stillborn` exits 9 at once, `slow` never becomes ready, `silent` sends no
heartbeat, `stubborn` ignores Stop. What it then does is told by the call_id of a leg added to it; see `add`. A leg of
any other name makes it send one datagram with the call_id to the leg's `remote`, from the lent socket.
"""

import ctypes
import os
import signal
import socket
import time

from mixer import clock
from mixer import protocol as p
from mixer.control import Control

HEARTBEAT_NS = 20_000_000
PACKETS_IN_A_BEAT = 10
GOODBYES = 500


def run(control_socket: socket.socket, config: p.MixerConfig) -> int:
    if config.name == "stillborn":
        return 9
    if config.name == "slow":
        time.sleep(60)
    return FakeMixer(Control(control_socket), config.name).run()


class FakeMixer:
    def __init__(self, control: Control, name: str) -> None:
        self.control = control
        self.name = name
        self.sockets: dict[int, socket.socket] = {}
        self.beats = 0
        self.stopped = False

    def run(self) -> int:
        self.control.send(p.Ready(os.getpid()))
        due_ns = clock.monotonic_ns()
        while not (self.control.closed or self.stopped):
            if clock.monotonic_ns() >= due_ns:
                due_ns += HEARTBEAT_NS
                self.beat()
            clock.wait_until(due_ns, self.control.fileno())
            for command, fds in self.control.receive():
                self.handle(command, fds)
        self.control.close()
        return 0

    def beat(self) -> None:
        self.beats += 1
        if self.name != "silent":
            packets = self.beats * PACKETS_IN_A_BEAT
            self.control.send(p.Heartbeat(2, self.beats, 1, packets, packets, {"stranger": self.beats}, 0.5))

    def handle(self, command: p.Command, fds: list[int]) -> None:
        match command:
            case p.LendSocket():
                (fd,) = fds
                self.sockets[command.socket_id] = socket.socket(fileno=fd)
            case p.ReturnSocket():
                self.sockets.pop(command.socket_id).close()
            case p.AddLeg():
                if not self.add(command):
                    return
            case p.RemoveLeg():
                outgoing = p.OutgoingStream(1, 2, 3, 4)
                self.control.send(p.LegRemoved(command.request_id, command.call_id, outgoing, None))
                return
            case p.GetStats():
                self.send_stats(command.request_id)
                return
            case p.Stop():
                if self.name == "stubborn":
                    return
                self.stopped = True
            case p.UpdateLegs():
                pass
        self.control.send(p.Done(command.request_id))

    def add(self, command: p.AddLeg) -> bool:
        """Do what the call_id asks for; says whether the command is still to be answered."""
        match command.call_id:
            case "crash":
                os._exit(3)
            case "segv":
                ctypes.string_at(0)
            case "raise":
                raise RuntimeError("as requested")
            case "hang":
                while True:
                    time.sleep(1)
            case "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "ignore":
                return False
            case "deaf":
                os.close(self.control.fileno())
                time.sleep(60)
            case "refuse":
                self.control.send(p.Refused(command.request_id, "no such socket"))
                return False
            case "chatty":
                self.control.send(p.LogLine("warning", "a log line", {"call_id": command.call_id}))
                self.control.send(p.Dtmf(command.call_id, "5", 100))
            case "goodbye":
                for _ in range(GOODBYES):
                    self.control.send(p.LegBye(command.call_id))
                os._exit(0)
            case _ if command.remote is not None:
                to = (command.remote.ip, command.remote.port)
                self.sockets[command.socket_id].sendto(command.call_id.encode(), to)
        return True

    def send_stats(self, request_id: int) -> None:
        calls = [p.LegStats(f"call_{n}", n, 0, 0, 0, 0, 0, 0.0, 20.0, 20.0, -30.0) for n in range(3)]
        spread = p.Spread(0.1, 0.2, 0.3)
        self.control.send(p.Stats(request_id, calls[:2], last=False))
        self.control.send(p.Stats(request_id, calls[2:], True, p.MixerStats(7, 0, spread, spread, 0.5)))
