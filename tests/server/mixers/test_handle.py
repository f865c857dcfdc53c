"""What a handle says about sound to its mixer, and what it hears of it; the mixer's end of the socket is the test's."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import cast

import pytest

from mixer import protocol as p
from server.mixers.channel import MAX_SEND_BYTES, Channel, pair
from server.mixers.errors import MixerRefused
from server.mixers.handle import MOST_PARTS, MixerHandle, News, Patience
from server.mixers.process import MixerProcess
from server.tasks import Tasks


class Peer:
    """A mixer that remembers each command, and does what `refuse` says."""

    def __init__(self) -> None:
        ours, theirs = pair()
        self.commands: list[p.Command] = []
        self.sizes: list[int] = []
        self.fds: list[int] = []
        self.refuse = ""
        self.news: list[News] = []
        self.tasks = Tasks()
        self._channel = Channel(theirs, self._take, lambda: None)
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int | None] = loop.create_future()
        process = type("Process", (), {"pid": 1, "exited": self.exited, "signal": lambda *_: None})()
        self.handle = MixerHandle(
            "conf_1",
            cast(MixerProcess, process),
            ours,
            os.memfd_create("dump"),
            Patience(),
            self.tasks,
            lambda _, news: self.news.append(news),
            lambda *_: None,
        )
        self.say(p.Ready(1))

    def say(self, report: p.Report) -> None:
        self._channel.send(p.REPORTS.dump_json(report))

    def _take(self, data: bytes, fds: list[int]) -> None:
        command = p.COMMANDS.validate_json(data)
        self.commands.append(command)
        self.sizes.append(len(data))
        self.fds += fds
        self.say(self._answer(command))

    def _answer(self, command: p.Command) -> p.Report:
        if self.refuse:
            return p.Refused(command.request_id, self.refuse)
        if isinstance(command, p.GetStats):
            calls = [p.LegStats(call_id, *[1] * 6, 0.0, 20.0, 20.0, None) for call_id in command.call_ids or []]
            return p.Stats(command.request_id, calls, last=True)
        return p.Done(command.request_id)

    async def close(self) -> None:
        self.exited.set_result(0)
        await asyncio.sleep(0)
        self._channel.close()
        for fd in self.fds:
            os.close(fd)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    mixer = Peer()
    await mixer.handle.ready()
    yield mixer
    await mixer.close()


async def test_a_clip_goes_with_its_descriptor(peer: Peer) -> None:
    fd = os.memfd_create("clip")
    os.write(fd, b"\x01\x02" * 80)
    await peer.handle.lend_clip("clip_1", 8000, 80, fd)
    os.close(fd)
    assert os.pread(peer.fds[0], 200, 0) == b"\x01\x02" * 80
    await peer.handle.return_clip("clip_1")
    assert peer.commands == [p.LendClip(1, "clip_1", 8000, 80), p.ReturnClip(2, "clip_1")]


async def test_what_is_played_is_said_in_full(peer: Peer) -> None:
    await peer.handle.play_program("c1", "clip_1", loop=True)
    await peer.handle.play_program("c1", None)
    await peer.handle.play_clip("play_1", "clip_1", to="mix", except_call_id="c1")
    await peer.handle.play_clip("play_2", "clip_1", to="call", call_id="c1", duck=True)
    await peer.handle.stop_clip("play_2")
    assert peer.commands == [
        p.PlayProgram(1, "c1", "clip_1", True),
        p.PlayProgram(2, "c1", None, False),
        p.PlayClip(3, "play_1", "clip_1", "mix", None, "c1", False),
        p.PlayClip(4, "play_2", "clip_1", "call", "c1", None, True),
        p.StopClip(5, "play_2"),
    ]


async def test_all_legs_of_a_command_go_in_one_message(peer: Peer) -> None:
    parts = [p.LegPart(f"c{n}", True, True, 1.0, ["c0"] if n % 100 == 1 else None) for n in range(MOST_PARTS)]
    await peer.handle.update_legs(parts)
    assert peer.commands == [p.UpdateLegs(1, parts)]


async def test_more_legs_than_fit_go_in_messages_that_do(peer: Peer) -> None:
    call_id = "0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5{:04x}".format
    parts = [p.LegPart(call_id(n), False, False, 0.1234567890123456, [call_id(0)]) for n in range(2 * MOST_PARTS + 1)]
    await peer.handle.update_legs(parts)
    assert max(peer.sizes) <= MAX_SEND_BYTES
    updates = [command for command in peer.commands if isinstance(command, p.UpdateLegs)]
    assert len(updates) == 3 and [part for update in updates for part in update.legs] == parts


async def test_figures_of_some_legs_are_asked_for_by_name(peer: Peer) -> None:
    call_ids = [f"0c2f6d1e-4a55-4bb8-a7f1-5d4bb7a5{n:04x}" for n in range(p.MOST_ASKED)]
    found = await peer.handle.leg_stats(call_ids)
    assert [(leg.call_id, leg.level_dbov) for leg in found] == [(call_id, None) for call_id in call_ids]
    assert peer.commands == [p.GetStats(1, call_ids)]
    assert max(peer.sizes) <= MAX_SEND_BYTES


async def test_a_refusal_is_raised(peer: Peer) -> None:
    peer.refuse = "no such leg"
    with pytest.raises(MixerRefused, match="no such leg"):
        await peer.handle.update_legs([p.LegPart("c1", True, True)])


async def test_news_of_sound_is_handed_on(peer: Peer) -> None:
    news: list[News] = [
        p.ProgramEnded("c1", "clip_1"),
        p.ClipEnded("play_1"),
        p.SpeechChanged("c1", True),
        p.Levels("c1", {"c1": -20.5}),
    ]
    for report in news:
        peer.say(report)
    await peer.handle.stop_clip("play_1")  # answered after them
    assert peer.news == news


async def test_recording_is_asked_for_by_id_and_the_feed_goes_along(peer: Peer) -> None:
    feed_fd = os.memfd_create("feed")
    os.write(feed_fd, b"feed")
    await peer.handle.start_recording("rec", feed_fd, True)
    os.close(feed_fd)
    assert os.pread(peer.fds[0], 9, 0) == b"feed"
    await peer.handle.pause_recording("rec", "skip")
    await peer.handle.resume_recording("rec")
    await peer.handle.stop_recording("rec")
    told = [{**asdict(command), "request_id": 0} for command in peer.commands]
    assert told == [
        {"request_id": 0, "recording_id": "rec", "tracks": True, "type": "start_recording"},
        {"request_id": 0, "recording_id": "rec", "behavior": "skip", "type": "pause_recording"},
        {"request_id": 0, "recording_id": "rec", "type": "resume_recording"},
        {"request_id": 0, "recording_id": "rec", "type": "stop_recording"},
    ]
    peer.refuse = "no such recording"
    with pytest.raises(MixerRefused, match="no such recording"):
        await peer.handle.stop_recording("rec")
