import json
import os
import socket
from collections.abc import Iterator

import pytest

from mixer import protocol as p
from mixer.control import MAX_COMMANDS, QUEUE_LIMIT, Control
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")

BEAT = p.Heartbeat(1, 2, 0, 3, 4, {}, 0.5)
SPREAD = p.Spread(0.0, 0.0, 0.0)


class Server:
    """The server's end, which reads only when told to."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.setblocking(False)

    def send(self, command: p.Command, *fds: int) -> None:
        socket.send_fds(self.sock, [p.COMMANDS.dump_json(command)], fds)

    def read(self) -> list[p.Report]:
        reports: list[p.Report] = []
        while True:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                return reports
            if not data:
                return reports
            reports.append(p.REPORTS.validate_json(data))


Ends = tuple[Control, Server]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield Control(ours), Server(theirs)


def fill(control: Control) -> int:
    """Send news until the socket takes no more; returns how many."""
    count = 0
    while not control._queue:
        control.send(p.LegBye(f"call_{count}"))
        count += 1
    return count


def read_all(control: Control, server: Server) -> list[p.Report]:
    received: list[p.Report] = []
    while batch := server.read():
        received += batch
        control.flush()
    return received


def test_commands_come_in_order_with_their_descriptors(ends: Ends) -> None:
    control, server = ends
    reading, writing = os.pipe()
    server.send(p.LendSocket(1, 7, shared=True), writing)
    server.send(p.RemoveLeg(2, "call_a", bye=True))
    (lend, (fd,)), (remove, none) = control.receive()
    assert lend == p.LendSocket(1, 7, shared=True)
    assert (remove, none) == (p.RemoveLeg(2, "call_a", bye=True), [])
    os.close(writing)
    os.write(fd, b"through the mixer's copy")
    assert os.read(reading, 100) == b"through the mixer's copy"
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.close(reading)
    assert control.receive() == []
    assert not control.closed


def test_one_call_takes_a_bounded_number_of_commands(ends: Ends) -> None:
    control, server = ends
    for number in range(MAX_COMMANDS + 5):
        server.send(p.GetStats(number))
    first, second = control.receive(), control.receive()
    assert [command.request_id for command, _ in first] == list(range(MAX_COMMANDS))
    assert [command.request_id for command, _ in second] == list(range(MAX_COMMANDS, MAX_COMMANDS + 5))


@pytest.mark.parametrize(
    "data",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"type": "dance"}',
        b'{"type": "remove_leg", "call_id": "call_a"}',
        b"\xff\xfe",
        b'{"type": "stop", "request_id": "no number"}',
        b"[" * 100_000,
    ],
)
def test_a_wrong_message_is_reported_and_costs_no_descriptor(ends: Ends, data: bytes) -> None:
    control, server = ends
    before = open_fds()
    null = os.open("/dev/null", os.O_RDONLY)
    socket.send_fds(server.sock, [data], [null])
    os.close(null)
    server.send(p.Stop(5))
    assert [command for command, _ in control.receive()] == [p.Stop(5)]
    (line,) = server.read()
    assert isinstance(line, p.LogLine)
    assert line.level == "error"
    assert open_fds() == before


def test_a_wrong_command_with_an_id_is_answered(ends: Ends) -> None:
    control, server = ends
    server.sock.send(json.dumps({"type": "lend_socket", "request_id": 12, "shared": True}).encode())
    assert control.receive() == []
    _, refused = server.read()
    assert isinstance(refused, p.Refused)
    assert refused.request_id == 12
    assert "socket_id" in refused.reason


def test_too_many_descriptors_are_refused_and_closed(ends: Ends) -> None:
    control, server = ends
    before = open_fds()
    null = os.open("/dev/null", os.O_RDONLY)
    server.send(p.LendSocket(3, 7, shared=True), *[null] * 9)
    os.close(null)
    assert control.receive() == []
    assert [report.request_id for report in server.read() if isinstance(report, p.Refused)] == [3]
    assert open_fds() == before


def test_the_end_is_seen_after_the_last_command(ends: Ends) -> None:
    control, server = ends
    server.send(p.Stop(1))
    server.sock.close()
    assert [command for command, _ in control.receive()] == [p.Stop(1)]
    assert control.closed
    assert control.receive() == []


def test_the_end_is_seen_although_the_server_left_reports_unread(ends: Ends) -> None:
    control, server = ends
    control.send(BEAT)
    server.send(p.Stop(1))
    server.sock.close()
    assert [command for command, _ in control.receive()] == [p.Stop(1)]
    assert control.closed


def test_sending_to_a_server_that_is_gone_is_void(ends: Ends) -> None:
    control, server = ends
    server.sock.close()
    control.send(BEAT)
    assert control.closed
    control.send(p.Done(1))
    control.flush()
    control.close()


def test_news_and_answers_survive_a_server_that_does_not_read(ends: Ends) -> None:
    control, server = ends
    sent: list[p.Report] = [p.LegBye(f"call_{number}") for number in range(fill(control))]
    for number in range(3 * QUEUE_LIMIT):
        report: p.Report = p.Done(number) if number % 2 else p.Dtmf("call_a", "5", number)
        control.send(report)
        sent.append(report)
    assert read_all(control, server) == sent


def test_what_can_be_missed_is_dropped_first_and_the_loss_is_told(ends: Ends) -> None:
    control, server = ends
    fill(control)
    line = p.LogLine("info", "a line", {})
    part = p.Stats(1, [p.LegStats("call_a", *[0] * 6, 0.0, 0.0, 0.0, 0.0)], last=False)
    last = p.Stats(1, [], last=True, mixer=p.MixerStats(1, 0, SPREAD, SPREAD, 0.0))
    for _ in range(QUEUE_LIMIT):
        for report in (line, BEAT, part):
            control.send(report)
    control.send(last)
    control.send(p.Done(99))
    assert len(control._queue) <= QUEUE_LIMIT
    received = read_all(control, server)
    assert last in received
    assert p.Done(99) in received
    kept = sum(report in (line, BEAT, part) for report in received)
    assert 0 < kept < QUEUE_LIMIT
    told = [report for report in received if isinstance(report, p.LogLine) and report.level == "warning"]
    assert [report.fields["reports"] for report in told] == [3 * QUEUE_LIMIT - kept]


def test_reports_stay_in_order_while_the_queue_drains_slowly(ends: Ends) -> None:
    control, server = ends
    count = fill(control)
    received: list[p.Report] = []
    for number in range(count, count + 500):
        control.send(p.LegBye(f"call_{number}"))
        received.append(p.REPORTS.validate_json(server.sock.recv(1 << 20)))
    received += read_all(control, server)
    assert received == [p.LegBye(f"call_{number}") for number in range(count + 500)]


def test_close_closes_the_socket(ends: Ends) -> None:
    control, server = ends
    control.send(p.Done(1))
    control.close()
    assert control.fileno() == -1
    assert server.read() == [p.Done(1)]
    assert server.sock.recv(10) == b""
