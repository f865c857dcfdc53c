"""Every command gets one answer, and a refused one changes nothing and leaks no descriptor."""

import math
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mixer.commands import Commands
from mixer.protocol import (
    MOST_ASKED,
    AddLeg,
    Address,
    Command,
    Done,
    GetStats,
    LegPart,
    LegRemoved,
    LendSocket,
    MediaFormat,
    MixerConfig,
    OutgoingStream,
    Playout,
    Refused,
    RemoveLeg,
    Report,
    ReturnSocket,
    Stats,
    Stop,
    UpdateLegs,
)  # fmt: skip
from mixer.rtp.rtcp import Bye, parse
from mixer.tick import TICK_NS, Mixer
from mixer.transports.udp import UdpTransport
from tests.support.memory_transport import MemoryTransport
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")

SHARED, SINGLE = 1, 2
REMOTE = Address("127.0.0.1", 4000)
ADD = AddLeg(9, "a", SHARED, REMOTE, MediaFormat("pcmu", 0, 8000), OutgoingStream(1, 2, 3))


class World:
    def __init__(self, transport: Any) -> None:
        self.transport, self.answers = transport, list[Report]()
        self.mixer = Mixer(MixerConfig("test"), transport, self.answers.append)
        self.commands = Commands(self.mixer, transport, self.answers.append)
        self.now_ns = 10**12

    def apply(self, command: Command, fds: list[int] | None = None) -> Report | None:
        self.answers.clear()
        self.commands.apply(command, fds or [], self.now_ns)
        assert len(self.answers) <= 1
        return self.answers[0] if self.answers else None

    def lend(self, socket_id: int, shared: bool) -> Report | None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            return self.apply(LendSocket(7, socket_id, shared), [os.dup(udp.fileno())])

    def state(self) -> tuple[object, ...]:
        legs = self.mixer.legs
        columns = tuple(column.tobytes() for column in (legs.live, legs.socket, legs.source, legs.gain, legs.heard))
        tables = tuple((n, t.live.tobytes(), t.gain.tobytes(), t.hears.tobytes()) for n, t in self.mixer.tables.items())
        return dict(legs.row_of), columns, tables, set(self.mixer.shared_sockets), set(self.mixer.mix.sums)


@pytest.fixture
def world() -> Iterator[World]:
    made = World(UdpTransport())
    assert made.lend(SHARED, shared=True) == Done(7)
    assert made.lend(SINGLE, shared=False) == Done(7)
    yield made
    made.transport.close()


NAN = math.nan
WRONG_LEGS = {
    "no such socket": replace(ADD, call_id="b", socket_id=77),
    "the call again": ADD,
    "a taken address": replace(ADD, call_id="b"),
    "unknown address on a shared socket": replace(ADD, call_id="b", remote=None),
    "rate": replace(ADD, call_id="b", remote=Address("127.0.0.1", 5), format=MediaFormat("pcmu", 0, 16000)),
    "l16 rate": replace(ADD, call_id="b", remote=Address("127.0.0.1", 5), format=MediaFormat("l16", 96, 44100)),
    "ip": replace(ADD, call_id="b", remote=Address("no.ip", 4000)),
    "short ip": replace(ADD, call_id="b", remote=Address("127.1", 4000)),
    "port 0": replace(ADD, call_id="b", remote=Address("127.0.0.1", 0)),
    "port": replace(ADD, call_id="b", remote=Address("127.0.0.1", 65_536)),
    "payload type": replace(ADD, call_id="b", socket_id=SINGLE, format=MediaFormat("pcmu", 128, 8000)),
    "payload type of RTCP": replace(ADD, call_id="b", socket_id=SINGLE, format=MediaFormat("pcmu", 72, 8000)),
    "digits as audio": replace(ADD, call_id="b", socket_id=SINGLE, format=MediaFormat("pcmu", 0, 8000, 0)),
    "ssrc": replace(ADD, call_id="b", socket_id=SINGLE, outgoing=OutgoingStream(1 << 32, 0, 0)),
    "sequence": replace(ADD, call_id="b", socket_id=SINGLE, outgoing=OutgoingStream(1, 1 << 16, 0)),
    "timestamp": replace(ADD, call_id="b", socket_id=SINGLE, outgoing=OutgoingStream(1, 0, -1)),
    "huge timestamp": replace(ADD, call_id="b", socket_id=SINGLE, outgoing=OutgoingStream(1, 0, 1 << 70)),
    "gain": replace(ADD, call_id="b", socket_id=SINGLE, gain=NAN),
    "infinite gain": replace(ADD, call_id="b", socket_id=SINGLE, gain=math.inf),
    "negative gain": replace(ADD, call_id="b", socket_id=SINGLE, gain=-1.0),
    "playout": replace(ADD, call_id="b", socket_id=SINGLE, playout=Playout(-1, 300)),
    "agreed ssrc": replace(ADD, call_id="b", socket_id=SINGLE, ssrc=-1),
    "timeout": replace(ADD, call_id="b", socket_id=SINGLE, media_timeout_ms=-1),
    "no call id": replace(ADD, call_id="", socket_id=SINGLE),
    "long call id": replace(ADD, call_id="x" * 256, socket_id=SINGLE),
}


@pytest.mark.parametrize("wrong", WRONG_LEGS)
def test_leg_that_cannot_be_is_refused_and_changes_nothing(world: World, wrong: str) -> None:
    assert world.apply(ADD) == Done(9)
    before = world.state()
    assert isinstance(world.apply(WRONG_LEGS[wrong]), Refused)
    assert world.state() == before
    world.mixer.tick(world.now_ns, 0)


@pytest.mark.parametrize(
    "command",
    [
        ReturnSocket(3, 77),
        ReturnSocket(3, SHARED),
        UpdateLegs(3, [LegPart("a", False, False), LegPart("nobody", True, True)]),
        UpdateLegs(3, [LegPart("a", False, False, NAN)]),
        RemoveLeg(3, "nobody"),
        LendSocket(3, 50, True),
        LendSocket(3, SHARED, True),
    ],
)
def test_other_refusals_change_nothing(world: World, command: Command) -> None:
    world.apply(ADD)
    before = world.state()
    answer = world.apply(command)
    assert isinstance(answer, Refused)
    assert answer.request_id == 3
    assert world.state() == before


def test_second_leg_on_an_unshared_socket_is_refused(world: World) -> None:
    assert world.apply(replace(ADD, socket_id=SINGLE)) == Done(9)
    answer = world.apply(replace(ADD, call_id="b", socket_id=SINGLE, remote=Address("127.0.0.1", 5)))
    assert isinstance(answer, Refused)


def test_no_descriptor_is_left_by_any_refusal_or_by_a_socket_that_comes_and_goes(world: World) -> None:
    before = open_fds()
    for _ in range(20):
        assert world.lend(30, shared=False) == Done(7)
        assert isinstance(world.lend(30, shared=False), Refused)  # the id is taken
        assert world.apply(ReturnSocket(8, 30)) == Done(8)
        ends = os.pipe()
        assert isinstance(world.apply(LendSocket(1, 40, True), [ends[0]]), Refused)  # no socket
        assert isinstance(world.apply(LendSocket(1, 40, True), [ends[1], os.dup(0)]), Refused)  # two
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            assert isinstance(world.apply(LendSocket(1, 40, True), [os.dup(tcp.fileno())]), Refused)
        assert isinstance(world.apply(RemoveLeg(1, "nobody"), [os.dup(0)]), Refused)  # nobody asked for one
    assert open_fds() == before


def test_removed_leg_is_answered_with_what_the_next_mixer_needs() -> None:
    world = World(MemoryTransport())
    world.commands._sockets[SHARED] = 5
    world.mixer.shared_sockets.add(5)
    world.apply(replace(ADD, outgoing=OutgoingStream(1, 65_535, 2**32 - 160)))
    world.mixer.tick(world.now_ns, 0)
    world.mixer.tick(world.now_ns + TICK_NS, 0)
    assert world.apply(RemoveLeg(4, "a")) == LegRemoved(4, "a", OutgoingStream(1, 1, 160, world.now_ns), REMOTE)


def test_leg_that_learnt_nothing_is_removed_without_an_address(world: World) -> None:
    world.apply(replace(ADD, socket_id=SINGLE, remote=None))
    answer = world.apply(RemoveLeg(4, "a"))
    assert isinstance(answer, LegRemoved)
    assert answer.remote is None


def test_figures_of_some_legs_are_told_at_once_and_those_of_all_by_the_loop(world: World) -> None:
    for call_id, port in (("a", 4000), ("b", 4002), ("c", 4004)):
        world.apply(replace(ADD, call_id=call_id, remote=Address("127.0.0.1", port)))
    answer = world.apply(GetStats(5, ["c", "gone", "a"]))
    assert isinstance(answer, Stats)
    assert ([leg.call_id for leg in answer.calls], answer.request_id, answer.last) == (["c", "a"], 5, True)
    assert answer.mixer is None
    assert world.commands.take_stats_requests() == []
    assert world.apply(GetStats(6)) is None
    assert world.commands.take_stats_requests() == [6]


def test_figures_of_too_many_legs_are_refused_as_they_would_delay_a_tick(world: World) -> None:
    assert world.apply(GetStats(5, ["a"] * MOST_ASKED)) == Stats(5, [], last=True)
    assert isinstance(world.apply(GetStats(5, ["a"] * (MOST_ASKED + 1))), Refused)


def test_stop_says_bye_to_everybody_and_is_answered_by_the_loop() -> None:
    world = World(MemoryTransport())
    world.commands._sockets[SHARED] = 5
    world.mixer.shared_sockets.add(5)
    for number in range(5):
        world.apply(replace(ADD, call_id=f"c{number}", remote=Address("127.0.0.1", 4000 + number)))
    assert world.apply(Stop(6)) is None
    assert world.commands.stopped_by == 6
    assert [isinstance(parse(sent.data)[-1], Bye) for sent in world.transport.sent] == [True] * 5
    assert len({sent.destination for sent in world.transport.sent}) == 5
    assert len(world.mixer.legs) == 0


def test_questions_for_figures_are_kept_for_the_loop(world: World) -> None:
    assert world.apply(GetStats(11)) is None
    assert world.apply(GetStats(12)) is None
    assert world.commands.take_stats_requests() == [11, 12]
    assert world.commands.take_stats_requests() == []
