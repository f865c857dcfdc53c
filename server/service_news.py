"""What mixers report becomes commands: first packets, silence, digits, far ends that are gone, mixers that died.

News of one conference is worked off in the order it came: each piece is a task that begins by waiting for the lock
of the name, and asyncio's locks are fair.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from mixer.protocol import Dtmf, LegBye, LegConnected, LegLost, LegTimedOut
from server.calls.model import Call, CallState
from server.conference.commands import Digit, HangUpReason, MediaConnected, MediaLost, Report
from server.conference.model import EndReason, LeftReason
from server.errors import ParleyError
from server.mixers.handle import News, SoundNews
from server.service_calls import finish_call
from server.service_conferences import end_forced, hang_up
from server.service_context import Context
from server.service_steps import carry_out

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
"""Pause before something that has to be written is tried again."""

_HANG_UP: Final[dict[type[News], HangUpReason]] = {
    LegBye: LeftReason.HUNG_UP,
    LegTimedOut: LeftReason.MEDIA_TIMEOUT,
}


class NewsDesk:
    """Takes reports on the event loop and acts on them in the background."""

    def __init__(self, context: Context) -> None:
        self._context = context

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
            return
        call = self._context.calls.find(news.call_id)
        if call is None or call.conference_id != conference_id:
            return
        self._note(call, news)
        self._hang_up_if_over(call, news, conference_id)
        command: Report
        match news:
            case LegConnected():
                command = MediaConnected(news.call_id)
            case LegLost():
                command = MediaLost(news.call_id)
            case Dtmf():
                command = Digit(news.call_id, news.digit, news.duration_ms)
            case _:
                return
        self._context.tasks.spawn(self._tell(conference_id, command), "report to conference")

    def mixer_died(self, conference_id: str, status: int | None) -> None:
        """End a conference whose mixer is gone, unless it was stopped because the conference ended."""
        live = next((live for live in self._context.live.all() if live.conference_id == conference_id), None)
        if live is None or live.ended:
            return
        log.error("mixer_died", conference_id=conference_id, status=status)
        self._context.tasks.spawn(
            self._until_written(lambda: end_forced(self._context, live, EndReason.MIXER_DIED)), "end after death"
        )

    def lost(self, call: Call) -> None:
        """End a call that no mixer wants."""
        finish_call(self._context, call, "mixer_unavailable")

    @staticmethod
    def _note(call: Call, news: News) -> None:
        if isinstance(news, LegConnected):
            call.connected = True
            call.remote = news.remote

    def _hang_up_if_over(self, call: Call, news: News, conference_id: str | None) -> None:
        reason = _HANG_UP.get(type(news))
        if reason is None:
            return

        async def over() -> None:
            # A call that has moved since was alive to do so.
            if call.conference_id == conference_id and call.state is CallState.ANSWERED:
                await hang_up(self._context, call, reason)

        self._context.tasks.spawn(self._until_written(over), "hang up")

    async def _tell(self, conference_id: str, command: Report) -> None:
        live = next((live for live in self._context.live.all() if live.conference_id == conference_id), None)
        if live is None:
            return
        async with self._context.live.locked(live.key):
            if live.ended:
                return
            try:
                await carry_out(self._context, live, command)
            except ParleyError as error:
                log.warning("report_dropped", conference_id=conference_id, code=error.code)

    async def _until_written(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do what must be done, again and again while the journal cannot be written."""
        while True:
            try:
                await act()
                return
            except ParleyError as error:
                log.error("not_carried_out_yet", code=error.code, detail=error.detail)
                if error.code != "journal_unavailable" or self._context.stopping:
                    return
                await asyncio.sleep(RETRY_S)
