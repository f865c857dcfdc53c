"""What mixers report becomes commands: first packets, speech, digits, far ends that are gone, mixers that died.

News of one conference is worked off in the order it came: a task waits for the lock of the name, asyncio's locks are
fair, and all that has come by the time it is its turn is taken, and written, at once.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from mixer.protocol import (
    ClipEnded,
    Dtmf,
    LegBye,
    LegConnected,
    LegLost,
    LegTimedOut,
    Levels,
    ProgramEnded,
    SpeechChanged,
)
from server.calls.model import Call, CallState
from server.conference.commands import (
    AnnouncementReport,
    Digit,
    HangUpReason,
    MediaConnected,
    MediaLost,
    Report,
    Speech,
)
from server.conference.model import EndReason, LeftReason
from server.errors import ParleyError
from server.mixers.handle import CallNews, News, SoundNews
from server.service_calls import finish_call
from server.service_conferences import end_forced, hang_up
from server.service_context import Context
from server.service_retry import pause, until_written
from server.service_steps import take

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 1000
"""Reports kept for a conference while nothing can be written."""

_HANG_UP: Final[dict[type[News], HangUpReason]] = {
    LegBye: LeftReason.HUNG_UP,
    LegTimedOut: LeftReason.MEDIA_TIMEOUT,
}


class NewsDesk:
    """Takes reports on the event loop and acts on them in the background."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: dict[str, list[tuple[Report | AnnouncementReport, float]]] = {}
        """Reports not taken yet, and when they came (Unix seconds), by conference id."""

    def from_lobby(self, news: News) -> None:
        """Act on what the lobby's mixer reports."""
        if isinstance(news, SoundNews):
            return
        call = self._context.calls.find(news.call_id)
        if call is None or call.conference_id is not None:
            return
        self._note(call, news)
        self._hang_up_if_over(call, news, None)

    def from_conference(self, conference_id: str, news: News) -> None:
        """Act on what a conference's mixer reports."""
        if isinstance(news, SoundNews):
            self._heard(conference_id, news)
            return
        call = self._context.calls.find(news.call_id)
        if call is None or call.conference_id != conference_id:
            return
        self._note(call, news)
        self._hang_up_if_over(call, news, conference_id)
        match news:
            case LegConnected():
                self.report(conference_id, MediaConnected(news.call_id))
            case LegLost():
                self.report(conference_id, MediaLost(news.call_id))
            case Dtmf():
                self.report(conference_id, Digit(news.call_id, news.digit, news.duration_ms))

    def report(self, conference_id: str, command: Report | AnnouncementReport) -> None:
        """Have a conference take a report, together with all others that come before it is its turn."""
        waiting = self._waiting.setdefault(conference_id, [])
        waiting.append((command, self._context.clock.now()))
        if len(waiting) == 1:
            self._context.tasks.spawn(self._tell(conference_id), "report to conference")

    def mixer_died(self, conference_id: str, status: int | None) -> None:
        """End a conference whose mixer is gone, unless it was stopped because the conference ended."""
        live = self._context.live.by_id(conference_id)
        if live is None or live.ended:
            return
        log.error("mixer_died", conference_id=conference_id, status=status)
        self._context.tasks.spawn(
            self._carry_out(lambda: end_forced(self._context, live, EndReason.MIXER_DIED)), "end after death"
        )

    def lost(self, call: Call) -> None:
        """End a call that no mixer wants."""
        finish_call(self._context, call, "mixer_unavailable")

    @staticmethod
    def _note(call: Call, news: CallNews) -> None:
        if isinstance(news, LegConnected):
            call.connected = True
            call.remote = news.remote

    def _hang_up_if_over(self, call: Call, news: CallNews, conference_id: str | None) -> None:
        reason = _HANG_UP.get(type(news))
        if reason is None:
            return

        async def over() -> None:
            # A call that has moved since was alive to do so.
            if call.conference_id == conference_id and call.state is CallState.ANSWERED:
                await hang_up(self._context, call, reason)

        self._context.tasks.spawn(self._carry_out(over), "hang up")

    def _heard(self, conference_id: str, news: SoundNews) -> None:
        live = self._context.live.by_id(conference_id)
        if live is None:
            return
        match news:
            case ClipEnded():
                live.sounds.clip_ended(news)
            case ProgramEnded():
                live.sounds.program_ended(news)
            case Levels():
                live.heard.note(news)
            case SpeechChanged() if news.call_id in live.told:
                live.heard.change(news.call_id, speaking=news.speaking)
                self.report(conference_id, Speech(news.call_id, news.speaking))

    async def _tell(self, conference_id: str) -> None:
        """Let a conference take what has been reported; what cannot be written now is tried again, in its order."""
        context = self._context
        while (live := context.live.by_id(conference_id)) is not None:
            async with context.live.locked(live.key):
                reports = self._waiting.pop(conference_id, [])
                if live.ended or not reports:
                    return
                try:
                    await take(context, live, reports)
                    return
                except ParleyError as error:
                    log.error("reports_not_taken", conference_id=conference_id, reports=len(reports), code=error.code)
                    if error.code != "journal_unavailable" or context.stopping:
                        return
                    since = self._waiting.get(conference_id, [])
                    self._waiting[conference_id] = [*reports, *since][-MOST_WAITING:]
            await pause()
        self._waiting.pop(conference_id, None)

    async def _carry_out(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do what must be done, unless it cannot be, or the server stops before it can be written."""
        try:
            await until_written(act, given_up=lambda: self._context.stopping)
        except ParleyError as error:
            log.error("not_carried_out", code=error.code, detail=error.detail)
