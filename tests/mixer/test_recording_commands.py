"""Recording as the server commands it: started, paused, resumed, stopped, refused; and nothing leaks."""

import os
from collections.abc import Iterator

import pytest

from mixer.commands import Commands
from mixer.protocol import (
    Command,
    Done,
    PauseRecording,
    Refused,
    Report,
    ResumeRecording,
    StartRecording,
    Stop,
    StopRecording,
)
from recording.catalog.feeds import create_feed
from recording.feed import FeedReader, Frame, Mark
from tests.support.conference import VirtualConference, tone
from tests.support.processes import open_fds

pytestmark = pytest.mark.usefixtures("earlier_garbage_gone")


class Commanded:
    """A conference whose mixer is told what to do."""

    def __init__(self) -> None:
        self.conference = VirtualConference()
        self.conference.add("pcmu", tone(410.0, 60, 8000))
        self.conference.add("pcmu")
        self.conference.run(20)
        self.answers: list[Report] = []
        self.commands = Commands(self.conference.mixer, self.conference.transport, self.answers.append)
        self.fd = create_feed(1 << 20)
        self.reader = FeedReader(self.fd)

    def do(self, command: Command, fds: list[int] | None = None) -> Report:
        self.answers.clear()
        self.commands.apply(command, fds or [], self.conference.now_ns)
        (answer,) = self.answers
        return answer

    def start(self, recording_id: str = "rec") -> Report:
        return self.do(StartRecording(1, recording_id, True), [os.dup(self.fd)])


@pytest.fixture
def commanded() -> Iterator[Commanded]:
    made = Commanded()
    yield made
    made.conference.mixer.stop_recording()
    made.reader.close()
    os.close(made.fd)


def test_a_recording_is_started_paused_resumed_and_stopped(commanded: Commanded) -> None:
    conference = commanded.conference
    assert commanded.start() == Done(1)
    conference.run(5)
    assert commanded.do(PauseRecording(2, "rec", "skip")) == Done(2)
    conference.run(7)
    assert commanded.do(ResumeRecording(3, "rec")) == Done(3)
    conference.run(5)
    assert not commanded.reader.closed
    assert commanded.do(StopRecording(4, "rec")) == Done(4)
    conference.run(5)
    assert commanded.reader.closed
    told = commanded.reader.read(999)

    assert [r.tick for r in told if isinstance(r, Frame)] == [*range(5), *range(12, 17)]
    marks = [(r.tick, r.what) for r in told if isinstance(r, Mark) and "joined" not in r.what and "track" not in r.what]
    assert marks == [(5, {"pause": "skip"}), (12, {"resume": True}), (17, {"stop": True})]
    assert conference.mixer.recording is None


def test_what_cannot_be_recorded_is_refused_and_leaks_nothing(commanded: Commanded) -> None:
    before = open_fds()
    assert isinstance(commanded.do(StartRecording(1, "rec")), Refused)
    assert isinstance(commanded.do(StartRecording(1, "rec"), [os.dup(0), os.dup(0)]), Refused)
    assert isinstance(commanded.do(StartRecording(1, "rec"), [os.dup(0)]), Refused)
    for command in (PauseRecording(1, "rec"), ResumeRecording(1, "rec"), StopRecording(1, "rec")):
        assert commanded.do(command) == Refused(1, "no such recording")
    assert commanded.conference.mixer.recording is None
    assert open_fds() == before
    assert commanded.start() == Done(1)
    assert commanded.start("other") == Refused(1, "something is recorded already")
    assert commanded.do(StopRecording(1, "other")) == Refused(1, "no such recording")
    assert commanded.do(ResumeRecording(1, "rec")) == Refused(1, "the recording is not paused")
    assert commanded.do(PauseRecording(1, "rec")) == Done(1)
    assert commanded.do(PauseRecording(1, "rec")) == Refused(1, "the recording is paused already")
    assert commanded.do(StopRecording(1, "rec")) == Done(1)
    assert open_fds() == before
    assert commanded.start("other") == Done(1)


def test_ticks_that_are_skipped_in_a_pause_are_not_lost(commanded: Commanded) -> None:
    commanded.start()
    commanded.do(PauseRecording(1, "rec", "silence"))
    commanded.conference.mixer.skip(10)
    assert (commanded.reader.ticks, commanded.reader.lost) == (0, 0), "it has not begun"
    commanded.do(ResumeRecording(1, "rec"))
    commanded.conference.run(1)
    commanded.do(PauseRecording(1, "rec", "silence"))
    commanded.conference.mixer.skip(10)
    assert (commanded.reader.ticks, commanded.reader.lost) == (11, 0)


def test_a_mixer_that_stops_closes_the_feed(commanded: Commanded) -> None:
    commanded.start()
    commanded.commands.apply(Stop(9), [], commanded.conference.now_ns)
    assert commanded.reader.closed
