"""What the waiting and held legs of one conference are played: one performance for each leg, in the background.

Each leg hears its program from the beginning. What a program consists of (music, a file, a document of several) is
decided in `server.prompts`; here it is brought to the leg: lent to the mixer at the leg's rate, and begun.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from server.calls.registry import Calls
from server.conference.directives import Program
from server.mixers.errors import MixerGone, MixerRefused
from server.mixers.handle import MixerHandle
from server.mixers.lending import LentClips
from server.prompts.clip import Clip
from server.service_prompts import Prompts
from server.tasks import Tasks

log = structlog.get_logger(__name__)


class LegSink:
    """Plays to one leg that does not hear the mix."""

    def __init__(self, mixer: MixerHandle, clips: LentClips, call_id: str, rate: int) -> None:
        self._mixer = mixer
        self._clips = clips
        self._call_id = call_id
        self._rate = rate
        self._ended: tuple[str, asyncio.Event] | None = None
        """What plays, and whether it was played to its end."""

    async def play(self, clip: Clip, *, loop: bool = False) -> None:
        """Play a clip from its start and return when it has ended; a loop never does. Cancel it to end it."""
        async with self._clips.using(clip, [self._rate]):
            ended = asyncio.Event()
            self._ended = clip.clip_id, ended
            await self._mixer.play_program(self._call_id, clip.clip_id, loop=loop)
            await ended.wait()

    async def silence(self) -> None:
        """Play nothing from now on."""
        self._ended = None
        await self._mixer.play_program(self._call_id, None)

    def ended(self, clip_id: str) -> None:
        """Take from the mixer that a clip has been played to its end."""
        if self._ended is not None and self._ended[0] == clip_id:
            self._ended[1].set()


@dataclass(frozen=True, slots=True)
class _Performance:
    program: Program
    sink: LegSink
    task: asyncio.Task[None]


class Programs:
    """The programs of one conference's legs."""

    def __init__(self, mixer: MixerHandle, clips: LentClips, prompts: Prompts, calls: Calls, tasks: Tasks) -> None:
        self._mixer = mixer
        self._clips = clips
        self._prompts = prompts
        self._calls = calls
        self._tasks = tasks
        self._playing: dict[str, _Performance] = {}

    def end(self, wanted: Mapping[str, Program | None]) -> None:
        """End the program of each of these legs that is played another one than the wanted."""
        for call_id, program in wanted.items():
            playing = self._playing.get(call_id)
            if playing is not None and playing.program != program:
                self.stop(call_id)

    def begin(self, wanted: Mapping[str, Program | None]) -> None:
        """Begin the program of each leg that has one and is not played it yet."""
        for call_id, program in wanted.items():
            call = self._calls.find(call_id)
            if program is None or call is None or call_id in self._playing:
                continue
            sink = LegSink(self._mixer, self._clips, call_id, call.media.format.sample_rate)
            task = self._tasks.spawn(self._perform(call_id, program, sink), "program")
            self._playing[call_id] = _Performance(program, sink, task)

    def stop(self, call_id: str) -> None:
        """End what a leg is played."""
        playing = self._playing.pop(call_id, None)
        if playing is not None:
            playing.task.cancel()

    def ended(self, call_id: str, clip_id: str) -> None:
        """Take from the mixer that a clip has been played to its end."""
        if call_id in self._playing:
            self._playing[call_id].sink.ended(clip_id)

    def close(self) -> None:
        """End all programs."""
        for call_id in list(self._playing):
            self.stop(call_id)

    async def _perform(self, call_id: str, program: Program, sink: LegSink) -> None:
        # A performance that is over stays in `_playing`, so that it is not begun again: after it there is silence.
        try:
            await self._prompts.perform(program, sink)
        except MixerRefused as error:
            log.error("program_refused", call_id=call_id, kind=program.kind, reason=error.reason)
        except MixerGone:
            return
