"""One mixer as the server knows it: commands to it, news from it, and its end, which comes exactly once.

A mixer that stops answering or beating is dead to everybody at once; it is then made to dump its stack and
killed. Which mixer serves which conference, and what follows from its end, is for others.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict, Unpack, cast

import structlog

from mixer import protocol
from server.mixers.channel import Channel, close_all
from server.mixers.errors import LaunchFailed, MixerGone
from server.mixers.ports import MediaSocket
from server.mixers.process import MixerProcess
from server.mixers.requests import Answer, Requests
from server.mixers.totals import SILENT
from server.tasks import Tasks

CallNews = protocol.LegConnected | protocol.LegLost | protocol.LegTimedOut | protocol.LegBye | protocol.Dtmf
"""What a mixer says of a call's media."""
SoundNews = protocol.ProgramEnded | protocol.ClipEnded | protocol.SpeechChanged | protocol.Levels
"""What a mixer says of what is heard."""
News = CallNews | SoundNews
"""What a mixer says of itself and the rest of the server wants to know."""

DUMP_BYTES: Final = 64 << 10
MOST_PARTS: Final = 800
"""Legs in one `UpdateLegs`, so that it fits into a packet whatever it says of each."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a mixer may take, in seconds."""

    ready_s: float = 10.0
    """From the request for a fork to `Ready`."""
    answer_s: float = 5.0
    """To answer a command."""
    heartbeat_s: float = 4.0
    """Between heartbeats, which are due every second: a hung mixer is to be replaced within 5 s."""
    dump_s: float = 0.25
    """To write its stack before it is killed."""
    exit_s: float = 1.0
    """To end after closing its control socket."""


class LegOptions(TypedDict, total=False):
    """The fields of `AddLeg` that have defaults."""

    receives: bool
    sends: bool
    heard: bool
    hears: bool
    gain: float
    heard_by: list[str] | None
    level_extension_id: int | None
    playout: protocol.Playout
    ssrc: int | None
    media_timeout_ms: int


class PlayOptions(TypedDict, total=False):
    """The fields of `PlayClip` that have defaults."""

    to: Literal["mix", "everyone", "call"]
    call_id: str | None
    except_call_id: str | None
    duck: bool


class MixerHandle:
    """Made by `Mixers.launch`. Every command raises MixerGone or MixerRefused.

    Owns `process`, `control` and `dump_fd`. `on_report` is told news; `on_exit` is called once, after the
    last of them, when the process has ended for whatever reason, with its exit code, minus a signal number,
    or None.
    """

    def __init__(
        self,
        name: str,
        process: MixerProcess,
        control: socket.socket,
        dump_fd: int,
        patience: Patience,
        tasks: Tasks,
        on_report: Callable[["MixerHandle", News], None],
        on_exit: Callable[["MixerHandle", int | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._dump_fd = dump_fd
        self._patience = patience
        self._tasks = tasks
        self._on_report = on_report
        self._on_exit = on_exit
        self._requests = Requests()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._finished = asyncio.Event()
        self._gone: str | None = None
        """Why it takes no more commands."""
        self._watch: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger().bind(conference_id=name, mixer_pid=process.pid)
        self.name: Final = name
        self.last_beat = SILENT
        self.stopping = False
        """It was told to stop, so that its end is no accident."""
        self._channel = Channel(control, self._on_message, self._on_channel_closed)
        process.exited.add_done_callback(self._on_exited)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It takes commands."""
        return self._gone is None and self._ready.done()

    async def ready(self) -> None:
        """Wait until it takes commands. Raises LaunchFailed if it ends before."""
        await self._ready

    async def lend_socket(self, media: MediaSocket) -> None:
        """Lend it `media`, under the socket's own id."""
        make = protocol.LendSocket
        await self._ask(lambda request_id: make(request_id, media.socket_id, media.shared), [media.fileno()])

    async def return_socket(self, socket_id: int) -> None:
        """Make it close its copy of a lent socket; refused while legs are on it."""
        await self._ask(lambda request_id: protocol.ReturnSocket(request_id, socket_id))

    async def add_leg(
        self,
        call_id: str,
        socket_id: int,
        remote: protocol.Address | None,
        format: protocol.MediaFormat,
        outgoing: protocol.OutgoingStream,
        **options: Unpack[LegOptions],
    ) -> None:
        """Give a call a row on a lent socket; see `AddLeg` for the fields."""
        make = protocol.AddLeg
        await self._ask(lambda request_id: make(request_id, call_id, socket_id, remote, format, outgoing, **options))

    async def update_legs(self, parts: Sequence[protocol.LegPart]) -> None:
        """Change who hears whom, for all these legs on one tick, the next.

        More than MOST_PARTS go in messages sent one right after the other: a mixer that keeps up takes them together.
        """
        if len(parts) <= MOST_PARTS:
            await self._update(list(parts))
            return
        starts = range(0, len(parts), MOST_PARTS)
        await asyncio.gather(*(self._update(list(parts[start : start + MOST_PARTS])) for start in starts))

    async def _update(self, parts: list[protocol.LegPart]) -> None:
        await self._ask(lambda request_id: protocol.UpdateLegs(request_id, parts))

    async def lend_clip(self, clip_id: str, sample_rate: int, samples: int, fd: int) -> None:
        """Lend it a clip at one rate: a sealed memfd of int16, of which it gets a descriptor of its own."""
        make = protocol.LendClip
        await self._ask(lambda request_id: make(request_id, clip_id, sample_rate, samples), [fd])

    async def return_clip(self, clip_id: str) -> None:
        """Make it forget a clip; what is playing of it ends."""
        await self._ask(lambda request_id: protocol.ReturnClip(request_id, clip_id))

    async def play_program(self, call_id: str, clip_id: str | None, *, loop: bool = False) -> None:
        """Play a lent clip, None being silence, to a leg that does not hear the mix."""
        await self._ask(lambda request_id: protocol.PlayProgram(request_id, call_id, clip_id, loop))

    async def play_clip(self, play_id: str, clip_id: str, **options: Unpack[PlayOptions]) -> None:
        """Play a lent clip once beside the mix; see `PlayClip` for the fields."""
        await self._ask(lambda request_id: protocol.PlayClip(request_id, play_id, clip_id, **options))

    async def stop_clip(self, play_id: str) -> None:
        """End what `play_clip` began; one that is over already is no error."""
        await self._ask(lambda request_id: protocol.StopClip(request_id, play_id))

    async def start_recording(self, recording_id: str, feed_fd: int, tracks: bool) -> None:
        """Let it write into a feed, of which it gets a descriptor of its own; refused while it writes into one."""
        make = protocol.StartRecording
        await self._ask(lambda request_id: make(request_id, recording_id, tracks), [feed_fd])

    async def pause_recording(self, recording_id: str, behavior: Literal["silence", "skip"] = "silence") -> None:
        """Let it write nothing for a while; refused if it does so already."""
        await self._ask(lambda request_id: protocol.PauseRecording(request_id, recording_id, behavior))

    async def resume_recording(self, recording_id: str) -> None:
        """Let it go on writing after a pause; refused if there is none."""
        await self._ask(lambda request_id: protocol.ResumeRecording(request_id, recording_id))

    async def stop_recording(self, recording_id: str) -> None:
        """Make it close the feed, which then has all that there was to record."""
        await self._ask(lambda request_id: protocol.StopRecording(request_id, recording_id))

    async def remove_leg(self, call_id: str, bye: bool = False) -> protocol.LegRemoved:
        """Take a call's row away. The answer is what the next mixer needs to go on with the call."""
        answer = await self._ask(lambda request_id: protocol.RemoveLeg(request_id, call_id, bye))
        return cast(protocol.LegRemoved, answer)

    async def stats(self) -> tuple[list[protocol.LegStats], protocol.MixerStats]:
        """Figures of every leg, and of the mixer."""
        answer = await self._ask(protocol.GetStats)
        return cast(tuple[list[protocol.LegStats], protocol.MixerStats], answer)

    async def leg_stats(self, call_ids: Sequence[str]) -> list[protocol.LegStats]:
        """Figures of those of these legs that it has, at most `protocol.MOST_ASKED`."""
        answer = await self._ask(lambda request_id: protocol.GetStats(request_id, list(call_ids)))
        return cast(tuple[list[protocol.LegStats], None], answer)[0]

    async def stop(self, grace_s: float = 2.0) -> None:
        """Make it say BYE and end; kill it after `grace_s`. Returns when it has ended, after `on_exit`."""
        self.stopping = True
        self._channel.send(protocol.COMMANDS.dump_json(protocol.Stop(self._requests.new_id())))
        self._lose("the mixer is stopping")
        try:
            async with asyncio.timeout(grace_s):
                await self._finished.wait()
        except TimeoutError:
            await self._put_down(f"did not stop within {grace_s:g} s")
            await self._finished.wait()

    def kill(self) -> None:
        """End it now, without a goodbye."""
        self._process.signal(signal.SIGKILL)

    async def _ask(self, command: Callable[[int], protocol.Command], fds: Sequence[int] = ()) -> Answer:
        """Send the command made for a request id, and return its answer."""
        if not self.alive:
            raise MixerGone(self._gone or "the mixer is not ready")
        request_id, answer = self._requests.open()
        message = command(request_id)
        self._channel.send(protocol.COMMANDS.dump_json(message), fds)
        try:
            await asyncio.wait([answer], timeout=self._patience.answer_s)
            if not answer.done():
                # If it was this process that slept, the answer is waiting to be read.
                self._channel.read_pending()
            if answer.done():
                return answer.result()
        finally:
            self._requests.forget(request_id)
        self._give_up(f"no answer to {message.type}")
        raise MixerGone(f"the mixer did not answer {message.type}")

    def _on_message(self, data: bytes, fds: list[int]) -> None:
        close_all(fds)  # no report carries any
        try:
            report = protocol.REPORTS.validate_json(data)
        except ValueError as error:
            self._log.error("wrong report", reason=str(error))
            return
        match report:
            case protocol.Done() | protocol.Refused() | protocol.LegRemoved() | protocol.Stats():
                self._requests.answer(report)
            case protocol.Heartbeat():
                self.last_beat = report
                self._expect_beat()
            case protocol.LogLine():
                log = self._log.bind(**report.fields)
                log.log(logging.getLevelNamesMapping()[report.level.upper()], report.event)
            case protocol.Ready():
                self._on_ready(report)
            case _:
                self._tell(self._on_report, report)

    def _on_ready(self, report: protocol.Ready) -> None:
        if self._ready.done():
            return
        if report.version == protocol.VERSION:
            self._ready.set_result(None)
            self._expect_beat()
        else:
            self._lose(f"it speaks version {report.version}, the server {protocol.VERSION}")

    def _expect_beat(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._gone is None:
            self._watch = self._loop.call_later(self._patience.heartbeat_s, self._beat_overdue)

    def _beat_overdue(self) -> None:
        # If it was this process that slept, the heartbeats are waiting to be read.
        overdue = self._watch
        self._channel.read_pending()
        if self._watch is overdue:
            self._give_up(f"no heartbeat for {self._patience.heartbeat_s:g} s")

    def _on_channel_closed(self) -> None:
        self._lose("the mixer has ended")
        self._watch = self._loop.call_later(self._patience.exit_s, self.kill)

    def _give_up(self, reason: str) -> None:
        """It hangs: from now on it is dead to everybody, and soon in fact."""
        if self._gone is None:
            self._lose(f"the mixer hangs: {reason}")
            self._tasks.spawn(self._put_down(reason), f"kill mixer {self.name}")

    async def _put_down(self, reason: str) -> None:
        """Have it write down where it hangs, then kill it."""
        self._process.signal(signal.SIGUSR2)
        await asyncio.wait([self._process.exited], timeout=self._patience.dump_s)
        if not self._process.exited.done():
            self._log.error("mixer hangs and is killed", reason=reason, stack=self._dump())
            self.kill()

    def _lose(self, reason: str) -> None:
        """Take no more commands, and fail those that wait for an answer."""
        if self._gone is None:
            self._gone = reason
        if self._watch is not None:
            self._watch.cancel()
        if not self._ready.done():
            self._ready.set_exception(LaunchFailed(reason))
        self._requests.fail_all(reason)

    def _on_exited(self, exited: asyncio.Future[int | None]) -> None:
        self._channel.read_pending()
        self._channel.close()
        self._lose("the mixer has ended")
        status = exited.result()
        if self.stopping and status == 0:
            self._log.info("mixer stopped")
        else:
            self._log.error("mixer died", status=status, stack=self._dump())
        os.close(self._dump_fd)
        self._tell(self._on_exit, status)
        self._finished.set()

    def _tell(self, listener: Callable[["MixerHandle", Any], None], what: News | int | None) -> None:
        """Call a listener whose failure is its own, and not that of the news after it."""
        try:
            listener(self, what)
        except Exception:
            self._log.exception("a listener failed", news=repr(what))

    def _dump(self) -> str:
        return os.pread(self._dump_fd, DUMP_BYTES, 0).decode(errors="replace")
