"""All that is heard in one conference and that nobody says: what those who wait hear, beeps, announcements.

Everything here happens in the background and may fail: then there is a line in the log, or an announcement that has
failed, and never a command that is late. What is to be heard, and by whom, is decided by `server.conference`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from mixer.protocol import ClipEnded, ProgramEnded
from server.calls.registry import Calls
from server.conference.beeps import Beep, beeps
from server.conference.commands import AnnouncementReport
from server.conference.directives import LegDirective
from server.conference.events import Event
from server.conference.model import Conference
from server.mixers.errors import MixerGone, MixerRefused
from server.mixers.handle import MixerHandle
from server.mixers.lending import LentClips
from server.prompts.errors import PromptError
from server.service_announcements import Announcements
from server.service_plays import Plays
from server.service_programs import Programs
from server.service_prompts import Prompts
from server.tasks import Tasks

log = structlog.get_logger(__name__)

MOST_BEEPS: Final = 4
"""At once: when many come together, one beep for each would only be louder."""


class Sounds:
    """The sounds of one conference in its mixer."""

    def __init__(
        self,
        mixer: MixerHandle,
        prompts: Prompts,
        calls: Calls,
        tasks: Tasks,
        new_id: Callable[[], str],
        conference: Callable[[], Conference],
        report: Callable[[AnnouncementReport], None],
    ) -> None:
        """`conference` returns it as it is; `report` takes how an announcement went."""
        clips = LentClips(mixer, tasks)
        self._prompts = prompts
        self._calls = calls
        self._tasks = tasks
        self._conference = conference
        self._plays = Plays(mixer, clips, tasks, new_id)
        self._announcements = Announcements(prompts, self._plays, tasks, conference, report)
        self._programs = Programs(mixer, clips, prompts, calls, tasks)
        self._beeping: set[asyncio.Task[None]] = set()

    def end_programs(self, wanted: Mapping[str, LegDirective]) -> None:
        """Play none of these legs any longer what it is not to hear; call it before the mixer is told."""
        self._programs.end({call_id: directive.program for call_id, directive in wanted.items()})

    def begin_programs(self, wanted: Mapping[str, LegDirective]) -> None:
        """Play to each of these legs, which the mixer has, what it is to hear."""
        self._programs.begin({call_id: directive.program for call_id, directive in wanted.items()})

    def forget(self, call_id: str) -> None:
        """Play nothing more to a leg that is about to be gone."""
        self._programs.stop(call_id)

    def follow(self, events: Sequence[Event]) -> None:
        """Sound what follows from events; call it when the mixer knows who hears whom."""
        self._announcements.follow(events)
        for beep in beeps(events, self._conference()):
            if len(self._beeping) < MOST_BEEPS:
                beeping = self._tasks.spawn(self._beep(beep), "beep")
                self._beeping.add(beeping)
                beeping.add_done_callback(self._beeping.discard)

    def clip_ended(self, news: ClipEnded) -> None:
        """Take from the mixer that a clip is over."""
        self._plays.ended(news.play_id)

    def program_ended(self, news: ProgramEnded) -> None:
        """Take from the mixer that what a leg was played is over."""
        self._programs.ended(news.call_id, news.clip_id)

    def close(self) -> None:
        """End everything; the mixer is about to be stopped, or dead."""
        self._programs.close()
        self._announcements.close()
        for beeping in self._beeping:
            beeping.cancel()

    async def _beep(self, beep: Beep) -> None:
        call_ids = [participant.call_id for participant in self._conference().present]
        rates = {call.media.format.sample_rate for call in map(self._calls.find, call_ids) if call is not None}
        try:
            async with self._prompts.beep(beep.kind) as clip:
                await self._plays.play(clip, rates, to="mix", except_call_id=beep.except_call_id)
        except PromptError as error:
            log.warning("no_beep", code=error.code, reason=error.detail)
        except MixerRefused as error:
            log.error("no_beep", reason=error.reason)
        except MixerGone:
            return
