"""Announcements of one conference: each one whose turn it is is fetched, played, and reported to be over.

Whose turn it is, and who hears it, is decided in `server.conference.announcing`; here it is only carried out. An
announcement that has ended or failed there, for whatever reason, stops at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from server.conference.announcing import hearers
from server.conference.commands import AnnouncementPlayed, AnnouncementReport, AnnouncementUnplayable
from server.conference.events import AnnouncementEnded, AnnouncementFailed, AnnouncementStarted, Event
from server.conference.model import Announcement, Conference, ConferenceState
from server.mixers.errors import MixerGone, MixerRefused
from server.mixers.handle import PlayOptions
from server.prompts.clip import RATES, Clip
from server.prompts.errors import PromptError
from server.service_plays import Plays
from server.service_prompts import Prompts
from server.tasks import Tasks

log = structlog.get_logger(__name__)

MIXER_REFUSED: Final = "mixer_refused"
"""Why an announcement failed, if neither its audio nor the conference is the reason."""


class Announcements:
    """Plays what a conference announces."""

    def __init__(
        self,
        prompts: Prompts,
        plays: Plays,
        tasks: Tasks,
        conference: Callable[[], Conference],
        report: Callable[[AnnouncementReport], None],
    ) -> None:
        """`conference` returns it as it is; `report` takes how an announcement went."""
        self._prompts = prompts
        self._plays = plays
        self._tasks = tasks
        self._conference = conference
        self._report = report
        self._playing: dict[str, asyncio.Task[None]] = {}

    def follow(self, events: Sequence[Event]) -> None:
        """Begin and end what these events say."""
        for event in events:
            match event:
                case AnnouncementStarted():
                    playing = self._tasks.spawn(self._announce(event.announcement), "announcement")
                    self._playing[event.announcement.announcement_id] = playing
                case AnnouncementEnded() | AnnouncementFailed():
                    over = self._playing.pop(event.announcement.announcement_id, None)
                    if over is not None:
                        over.cancel()

    def close(self) -> None:
        """End everything."""
        for playing in self._playing.values():
            playing.cancel()
        self._playing.clear()

    async def _announce(self, announcement: Announcement) -> None:
        announcement_id = announcement.announcement_id
        try:
            async with self._prompts.announcement(announcement) as clip:
                await self._play(announcement, clip)
        except PromptError as error:
            log.warning("announcement_failed", announcement_id=announcement_id, code=error.code, reason=error.detail)
            self._report(AnnouncementUnplayable(announcement_id, error.code))
        except MixerRefused as error:
            log.error("announcement_failed", announcement_id=announcement_id, reason=error.reason)
            self._report(AnnouncementUnplayable(announcement_id, MIXER_REFUSED))
        except MixerGone:
            return  # the conference ends by that, and with it the announcement
        else:
            self._report(AnnouncementPlayed(announcement_id))

    async def _play(self, announcement: Announcement, clip: Clip) -> None:
        # At all rates: whoever comes while it plays may need any of them.
        targets = _targets(self._conference(), announcement)
        await asyncio.gather(*(self._plays.play(clip, RATES, **target) for target in targets))


def _targets(conference: Conference, announcement: Announcement) -> list[PlayOptions]:
    """Return what to tell a mixer so that those who are to hear an announcement do."""
    calls = hearers(conference, announcement)
    if announcement.call_id is None:
        if conference.state is ConferenceState.ACTIVE:
            return [{"to": "mix", "duck": True}]
        if len(calls) == conference.size:
            return [{"to": "everyone", "duck": True}]
    return [{"to": "call", "call_id": call_id, "duck": True} for call_id in calls]
