"""The process loop on a real control socket and real UDP: it ticks when there is a leg, and only then."""

import gc
import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from mixer.loop import run
from mixer.protocol import (
    COMMANDS,
    REPORTS,
    AddLeg,
    Address,
    Command,
    Done,
    GetStats,
    Heartbeat,
    LegConnected,
    LendSocket,
    LogLine,
    MediaFormat,
    MixerConfig,
    OutgoingStream,
    Ready,
    RemoveLeg,
    Report,
    StartRecording,
    Stats,
    Stop,
)  # fmt: skip
from mixer.rtp.rtcp import Bye, parse
from recording.catalog.feeds import create_feed
from recording.feed import FeedReader
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")


class Server:
    """The server's end of one mixer that runs in a thread."""

    def __init__(self) -> None:
        self.control, mixers_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(5)
        self.exit: list[int] = []
        self.thread = threading.Thread(target=lambda: self.exit.append(run(mixers_end, MixerConfig("test"))))
        self.thread.start()
        self.seen: list[Report] = []

    def send(self, command: Command, fds: list[int] | None = None) -> None:
        socket.send_fds(self.control, [COMMANDS.dump_json(command)], fds or [])

    def wait(self, wanted: Callable[[Report], bool]) -> Report:
        while True:
            report = REPORTS.validate_json(self.control.recv(1 << 20))
            self.seen.append(report)
            if wanted(report):
                return report

    def of(self, kind: type) -> Report:
        return self.wait(lambda report: isinstance(report, kind))

    def lend(self, socket_id: int, shared: bool, receive_bytes: int | None = None) -> tuple[str, int]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
            if receive_bytes is not None:
                media.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            media.bind(("127.0.0.1", 0))
            self.send(LendSocket(socket_id, socket_id, shared), [media.fileno()])
            self.of(Done)
            address: tuple[str, int] = media.getsockname()
            return address


@pytest.fixture
def server() -> Iterator[Server]:
    before = open_fds()
    made = Server()
    assert made.wait(lambda report: True) == Ready(os.getpid())
    yield made
    made.control.close()
    made.thread.join(5)
    gc.enable()  # the mixer has a process of its own in life, and its garbage collector for itself
    gc.unfreeze()
    assert not made.thread.is_alive()
    assert open_fds() == before


def add(server: Server, number: int, remote: Address, socket_id: int = 1) -> None:
    outgoing = OutgoingStream(number, 0, 0)
    server.send(AddLeg(number, f"c{number}", socket_id, remote, MediaFormat("pcmu", 0, 8000), outgoing))
    assert server.of(Done) == Done(number)


def far_end() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.settimeout(5)
    return made


def test_idle_mixer_beats_but_does_not_tick(server: Server) -> None:
    beats = [server.of(Heartbeat) for _ in range(2)]
    assert all(isinstance(beat, Heartbeat) and (beat.legs, beat.ticks) == (0, 0) for beat in beats)


def overflow(report: Report) -> int:
    return report.dropped.get("overflow", 0) if isinstance(report, Heartbeat) else 0


def test_what_a_full_receive_buffer_loses_is_counted_and_complained_of_once_a_minute(server: Server) -> None:
    address = server.lend(1, shared=True, receive_bytes=1)
    with far_end() as peer:
        for _ in range(100):
            peer.sendto(bytes(1000), address)
        line = server.wait(lambda report: isinstance(report, LogLine) and "overflow" in report.event)
        assert isinstance(line, LogLine) and line.level == "warning"
        lost = overflow(server.wait(lambda report: overflow(report) > 0))
        assert line.fields == {"datagrams": lost}
        assert 0 < lost < 100
        peer.sendto(bytes(1000), address)
        server.wait(lambda report: overflow(report) > lost)
        server.of(Heartbeat)
    told = [report for report in server.seen if isinstance(report, LogLine) and report.level == "warning"]
    assert told == [line]


def test_leg_is_sent_media_until_it_is_removed_and_the_mixer_is_idle_again(server: Server) -> None:
    address = server.lend(1, shared=True)
    with far_end() as peer:
        add(server, 5, Address(*peer.getsockname()))
        for sequence in range(10):
            packet, source = peer.recvfrom(2000)
            assert source == address
            assert int.from_bytes(packet[2:4]) == sequence
            peer.sendto(b"\x80\x00" + sequence.to_bytes(2) + (160 * sequence).to_bytes(4) + bytes(4 + 160), address)
        assert isinstance(server.of(LegConnected), LegConnected)
        server.wait(lambda report: isinstance(report, Heartbeat) and report.packets_in == 10)
        server.send(RemoveLeg(6, "c5", bye=True))
        server.wait(lambda report: getattr(report, "request_id", 0) == 6)
        packets = []
        while not packets or packets[-1][1] != 200 + 1:
            packets.append(peer.recv(2000))
        assert isinstance(parse(packets[-1])[-1], Bye)
        first, second = server.of(Heartbeat), server.of(Heartbeat)
        assert isinstance(first, Heartbeat)
        assert isinstance(second, Heartbeat)
        assert first.ticks == second.ticks >= 10
        assert second.packets_in == 10


def test_every_leg_has_its_line_in_the_figures(server: Server) -> None:
    server.lend(1, shared=True)
    count = 60
    for number in range(count):
        add(server, 100 + number, Address("127.0.0.9", 20_000 + 2 * number))
    server.send(GetStats(7))
    parts: list[Stats] = []
    while not parts or not parts[-1].last:
        part = server.of(Stats)
        assert isinstance(part, Stats)
        parts.append(part)
    assert [part.mixer is None for part in parts] == [True] * (len(parts) - 1) + [False]
    lines = [line.call_id for part in parts for line in part.calls]
    assert sorted(lines) == sorted(f"c{100 + number}" for number in range(count))
    assert len(parts) >= 3


def test_stop_is_answered_last_but_for_the_counters_and_ends_well(server: Server) -> None:
    server.lend(1, shared=True)
    with far_end() as peer:
        add(server, 5, Address(*peer.getsockname()))
        server.send(Stop(8))
        assert server.of(Done) == Done(8)
        assert isinstance(server.of(Heartbeat), Heartbeat)
        server.thread.join(5)
        assert server.exit == [0]
        datagrams = [peer.recv(2000)]
        while datagrams[-1][1] != 201:
            datagrams.append(peer.recv(2000))
        assert isinstance(parse(datagrams[-1])[-1], Bye)


def test_mixer_ends_when_its_server_is_gone(server: Server) -> None:
    server.lend(1, shared=True)
    add(server, 5, Address("127.0.0.9", 20_000))
    server.control.close()
    server.thread.join(5)
    assert server.exit == [1]


def test_time_passes_in_what_an_idle_mixer_records_and_its_end_closes_the_feed(server: Server) -> None:
    fd = create_feed()
    feed = FeedReader(fd)
    server.send(StartRecording(1, "rec"), [fd])
    server.wait(lambda report: report == Done(1))
    # One may have been on its way before.
    for _ in range(20):
        server.of(Heartbeat)
        if feed.ticks:
            break
    assert 0 < feed.ticks < 3000
    assert feed.read(9) == []
    assert not feed.closed
    server.control.close()
    server.thread.join(5)
    assert feed.closed
    feed.close()
    os.close(fd)
