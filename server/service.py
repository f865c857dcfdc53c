"""The service: everything the API can ask for, in one place, and the life of the server from start to last BYE.

The use cases themselves are in the `service_*` files; this one puts their parts together, starts them in order,
drains, and stops them. What a route looks like is the API's affair.
"""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

from server import service_conferences as conferences
from server import service_events as logged
from server import service_history as history
from server import service_recording_requests as recordings
from server.calls.addresses import LOOPBACK
from server.calls.lobby import NAME as LOBBY
from server.calls.lobby import Lobby
from server.calls.model import Call, CallState
from server.calls.registry import Calls
from server.conference.commands import Command, End, MeasureRecording, Update
from server.conference.model import Conference, EndReason, Participant
from server.conference.recordings import PauseBehavior
from server.conference.views import ConferenceSummary
from server.conference.wire import Origin
from server.errors import ParleyError
from server.journal import Journal
from server.live_events import Only
from server.mixer_config import mixer_config
from server.mixers.ports import MediaPorts
from server.mixers.supervisor import Mixers
from server.recordings.shelf import Sound
from server.recordings.store import RecordingStore
from server.retention import Retention
from server.service_calls import NewCall, create_call, finish_call
from server.service_context import Clock, Context, UrlGuard
from server.service_joining import Joined, Joining, Wish
from server.service_news import NewsDesk
from server.service_prompts import Prompts
from server.service_recordings import Recordings
from server.service_speech import Figures
from server.service_steps import consider_all, write
from server.settings import Settings
from server.tasks import Tasks
from server.webhooks.model import DeliveryRecord
from server.webhooks.sender import Sender

T = TypeVar("T")

log = structlog.get_logger(__name__)

STOP_S: Final = 5.0
"""Time for ending all conferences properly before mixers are stopped regardless."""
LAST_EVENTS_S: Final = 1.0
"""Time for whoever follows events to read the last of them, once everything else has stopped."""


class Service:
    """The use cases. Every method that acts for a request raises `ParleyError`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        journal: Journal,
        mixers: Mixers,
        prompts: Prompts,
        urls: UrlGuard,
        webhooks: Sender,
    ) -> None:
        """`urls` judges what users name, `webhooks` sends what is in the journal's outbox."""
        calls, tasks, housekeeping = Calls(), Tasks(), Tasks()
        bind_ip = LOOPBACK if settings.loopback_media else "0.0.0.0"
        lobby = Lobby(
            mixers,
            calls,
            tasks,
            mixer_config(settings, LOBBY),
            media_timeout_s=settings.media_timeout_s,
            monotonic=clock.monotonic,
            on_news=lambda news: self._news.from_lobby(news),
            on_lost=lambda call: self._news.lost(call),
        )
        self._recordings = Recordings(lambda: self.context)
        self.context: Final = Context(
            settings=settings,
            clock=clock,
            journal=journal,
            mixers=mixers,
            ports=MediaPorts(*settings.rtp_ports, bind_ip),
            lobby=lobby,
            origin=Origin(node_id=socket.gethostname(), space_id="parley"),
            tasks=tasks,
            prompts=prompts,
            store=RecordingStore(settings, journal, housekeeping, clock.now, clock.monotonic),
            recordings=self._recordings,
            housekeeping=housekeeping,
            urls=urls,
            webhooks=webhooks,
            calls=calls,
        )
        self._news = NewsDesk(self.context)
        self._joining = Joining(self.context, self._news.from_conference, self._news.mixer_died, self._news.report)

    # ---- life

    async def start(self) -> None:
        """Open the journal, end what a crash left open, start the mixers' parent and the lobby.

        The server's own music is made meanwhile and is not waited for: who needs it before hears silence first.
        """
        context = self.context
        context.prompts.start()
        await context.journal.open()
        context.store.start()
        for conference_id in await context.journal.open_conferences():
            conference = await context.journal.load(conference_id)
            if conference is not None:
                done = await self._recordings.done_meanwhile(conference)
                known = [MeasureRecording(each.recording_id, each.result) for each in done]
                commands: list[Command] = [*known, End(EndReason.SERVER_RESTARTED), *done]
                now = context.clock.now()
                _, after, entries = consider_all(context, conference, [(command, now) for command in commands])
                await write(context, after, entries)
        await context.mixers.start()
        await context.lobby.start()
        retention = Retention(context.journal, context.clock.now, context.settings.events_retention_days)
        context.housekeeping.spawn(retention.run(), "retention")
        recovery = context.store.recovery(self._recordings, lambda id: context.live.by_id(id) is not None)
        context.housekeeping.spawn(recovery.run(), "recovery of recordings")
        context.webhooks.start()
        context.ready = True

    def unready(self) -> list[str]:
        """Return why the server should get no traffic; nothing if it should."""
        context = self.context
        reasons = []
        if context.stopping:
            reasons.append("stopping")
        elif context.draining:
            reasons.append("draining")
        if not context.ready:
            reasons.append("starting")
        elif not context.lobby.up:
            reasons.append("the lobby's mixer is being replaced")
        return reasons

    async def drain(self, deadline_s: float) -> None:
        """Take nothing new; return when the last conference has ended or the deadline has passed."""
        self.context.draining = True
        log.info("draining", conferences=len(self.context.live), deadline_s=deadline_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self.context.live.idle()

    async def stop(self) -> None:
        """End every conference with its events, hang up every call, stop every process, close the journal."""
        context = self.context
        context.draining = context.stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._end_all()
        context.bell.close()
        telling = context.tasks.spawn(context.webhooks.stop(), "last webhooks")
        await context.lobby.stop()
        await telling
        await context.housekeeping.cancel_all()
        await context.tasks.cancel_all()
        for call in context.calls:
            finish_call(context, call, "server_stopped")
        await context.prompts.close()
        await context.mixers.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_EVENTS_S):
                await context.bell.left_alone()
        await context.journal.close()
        log.info("stopped")

    async def _end_all(self) -> None:
        # A join that was under way may still add one.
        while current := self.context.live.all():
            results = await asyncio.gather(
                *(conferences.end_forced(self.context, live, EndReason.SERVER_STOPPED) for live in current),
                return_exceptions=True,
            )
            failed = [result for result in results if isinstance(result, BaseException)]
            for error in failed:
                log.error("conference_not_ended", error=str(error))
            if failed:
                return

    async def _finish(self, use_case: Coroutine[Any, Any, T], name: str) -> T:
        """Carry a use case through, whoever waits: between the journal and the mixer it must not stop half-way."""
        return await self.context.tasks.finish(use_case, name)

    # ---- calls

    async def create_call(self, new: NewCall) -> Call:
        """Answer a call; it hears silence until it joins."""
        return await self._finish(create_call(self.context, new), "create_call")

    def get_call(self, project_id: str, call_id: str) -> Call:
        """Return a call, also one that ended a short while ago."""
        return self.context.calls.get(project_id, call_id)

    def list_calls(self, project_id: str, *, ended: bool) -> list[Call]:
        """Return a project's calls, oldest first."""
        return self.context.calls.of_project(project_id, ended=ended)

    async def hang_up(self, project_id: str, call_id: str) -> None:
        """Hang a call up; it leaves its conference first."""
        call = self.context.calls.get(project_id, call_id)
        if call.state is CallState.ENDED:
            raise ParleyError("not_found", f"the call {call_id!r} has ended")
        await self._finish(conferences.hang_up(self.context, call), "hang_up")

    # ---- conferences

    async def join(self, project_id: str, call_id: str, wish: Wish) -> Joined:
        """Bring a call into a conference."""
        return await self._finish(self._joining.join(project_id, call_id, wish), "join")

    async def call_and_join(self, new: NewCall, wish: Wish) -> Joined:
        """Make a call and bring it into a conference."""
        return await self._finish(self._joining.call_and_join(new, wish), "call_and_join")

    async def leave(self, project_id: str, call_id: str, reference: str) -> None:
        """Take a call out of a conference."""
        await self._finish(conferences.leave(self.context, project_id, call_id, reference), "leave")

    async def kick(self, project_id: str, reference: str, call_id: str) -> None:
        """Throw a participant out."""
        await self._finish(conferences.kick(self.context, project_id, reference, call_id), "kick")

    async def update(self, project_id: str, reference: str, command: Update) -> tuple[Conference, Participant]:
        """Change how a participant takes part."""
        return await self._finish(conferences.update(self.context, project_id, reference, command), "update")

    async def announce(self, project_id: str, reference: str, url: str, call_id: str | None) -> str:
        """Have something played to all of a conference, or to one participant; return the announcement's id."""
        return await self._finish(conferences.announce(self.context, project_id, reference, url, call_id), "announce")

    async def end(self, project_id: str, reference: str) -> Conference:
        """End a conference."""
        return await self._finish(conferences.end(self.context, project_id, reference), "end")

    async def get_conference(self, project_id: str, reference: str) -> Conference:
        """Return a conference by id, or by name in progress."""
        return await history.find_conference(self.context, project_id, reference)

    async def list_conferences(self, project_id: str, page: history.Page) -> list[ConferenceSummary]:
        """Return a project's conferences, the newest first."""
        return await history.list_conferences(self.context, project_id, page)

    async def events(self, project_id: str, reference: str, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return a conference's EVENTs after a sequence number, and the last number there is."""
        return await history.events(self.context, project_id, reference, after, limit)

    async def follow_events(self, project_id: str, last_event_id: str | None, only: Only) -> logged.Feed:
        """Return a project's events after one that is known, or from now on, as they happen."""
        return await logged.feed(self.context, project_id, last_event_id, only)

    async def list_deliveries(self, project_id: str, page: logged.DeliveryPage) -> list[DeliveryRecord]:
        """Return what became of a project's deliveries, the newest first."""
        return await logged.list_deliveries(self.context, project_id, page)

    async def replay(self, project_id: str, reference: str, again: logged.Again) -> int:
        """Have a conference's events delivered again; return how many deliveries that makes."""
        return await self._finish(logged.replay(self.context, project_id, reference, again), "replay")

    async def stats(self, project_id: str, reference: str) -> Figures:
        """Return a conference's figures."""
        return await conferences.stats(self.context, project_id, reference)

    # ---- recordings

    async def start_recording(self, project_id: str, reference: str, *, trim: bool, tracks: bool) -> dict[str, Any]:
        """Record a conference from now on; return RECORDING."""
        starting = recordings.start(self.context, project_id, reference, trim=trim, tracks=tracks)
        return await self._finish(starting, "start_recording")

    async def change_recording(
        self, project_id: str, recording_id: str, wanted: recordings.Wanted, behavior: PauseBehavior
    ) -> dict[str, Any]:
        """Pause, resume or stop a recording; return RECORDING afterwards."""
        changing = recordings.change(self.context, project_id, recording_id, wanted, behavior)
        return await self._finish(changing, "change_recording")

    async def get_recording(self, project_id: str, recording_id: str) -> dict[str, Any]:
        """Return RECORDING."""
        return await recordings.get(self.context, project_id, recording_id)

    async def list_recordings(self, project_id: str, page: recordings.RecordingPage) -> list[dict[str, Any]]:
        """Return a project's RECORDINGs, the newest first."""
        return await recordings.list_recordings(self.context, project_id, page)

    async def recording_ids(self, conference_ids: list[str]) -> dict[str, list[str]]:
        """Return the recordings of conferences, in the order they began."""
        return await recordings.recording_ids(self.context, conference_ids)

    async def delete_recording(self, project_id: str, recording_id: str) -> None:
        """Remove a recording with all its files and copies."""
        await self._finish(recordings.delete(self.context, project_id, recording_id), "delete_recording")

    async def recording_audio(self, project_id: str, recording_id: str, view: recordings.View) -> Sound:
        """Open a recording's sound."""
        return await recordings.audio(self.context, project_id, recording_id, view)

    async def recording_track(self, project_id: str, recording_id: str, call_id: str) -> Sound:
        """Open what one participant said."""
        return await recordings.track(self.context, project_id, recording_id, call_id)

    async def recording_manifest(self, project_id: str, recording_id: str) -> bytes:
        """Return a recording's manifest (JSON)."""
        return await recordings.manifest(self.context, project_id, recording_id)
