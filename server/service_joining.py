"""Use case: a call joins a conference, which the first join creates.

Everything that can fail without a trace (rules, ports, a mixer process) comes before the journal; what fails after it
is undone by events that say so. The answer waits until the mixer has the leg.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from mixer.protocol import Playout
from server.calls import legs
from server.calls.model import Call, CallState
from server.conference import directives
from server.conference.callbacks import Callback
from server.conference.commands import AnnouncementReport, End, HangUp, Join, Report
from server.conference.events import Event
from server.conference.model import BeepMode, Conference, EndReason, LeftReason, Participant
from server.conference.recordings import RecordingPlan
from server.errors import ParleyError
from server.mixer_config import mixer_config
from server.mixers.errors import LaunchFailed, MixerGone, MixerRefused
from server.mixers.handle import MixerHandle, News
from server.mixers.ports import MediaSocket
from server.recordings.views import audio_url
from server.service_calls import NewCall, close_own_socket, make_call, open_socket, use_socket
from server.service_context import Context
from server.service_live import Live
from server.service_recorders import follow as record
from server.service_sounds import Sounds
from server.service_steps import carry_out, consider, nobody, sound, tell_mixer, write

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a join asks for; see JOIN of the API."""

    name: str
    muted: bool = False
    beep: BeepMode = BeepMode.BOTH
    wait_url: str | None = None
    """None: the server's own music; empty: silence."""
    start_on_enter: bool = True
    end_on_exit: bool = False
    coach: str | None = None
    max_participants: int | None = None
    min_participants_to_start: int | None = None
    region: str | None = None
    playout: Playout = field(default_factory=Playout)
    callback: Callback | None = None
    recording_callback: Callback | None = None
    record: bool = False
    """From the start of the conference, or from this join on."""
    trim: bool = True
    tracks: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A call and its stay in a conference, as they were when the join was done."""

    conference: Conference
    call: Call

    @property
    def participant(self) -> Participant:
        """The call's stay."""
        return self.conference.participants[self.call.call_id]


async def _check_urls(context: Context, wish: Wish) -> None:
    await context.check_url("wait_url", wish.wait_url)
    await context.check_callback("status_callback", wish.callback)
    await context.check_callback("recording_status_callback", wish.recording_callback)


class Joining:
    """Joins calls to conferences."""

    def __init__(
        self,
        context: Context,
        on_news: Callable[[str, News], None],
        on_death: Callable[[str, int | None], None],
        on_report: Callable[[str, Report | AnnouncementReport], None],
    ) -> None:
        """All three take the conference's id, and what its mixer says, its end, and what there is to report."""
        self._context = context
        self._on_news = on_news
        self._on_death = on_death
        self._on_report = on_report

    async def join(self, project_id: str, call_id: str, wish: Wish) -> Joined:
        """Bring a call that is up into a conference. Raises `ParleyError`."""
        context = self._context
        context.check_ready()
        await _check_urls(context, wish)
        call = context.calls.get(project_id, call_id)
        async with context.live.locked((project_id, wish.name)):
            # The call's lock guards it in the lobby; once in the conference, the name's lock does.
            async with context.calls.lock(call):
                if call.state is CallState.ENDED:
                    raise ParleyError("call_ended", f"the call {call_id!r} has ended")
                if call.conference_id is not None:
                    raise ParleyError(
                        "call_already_in_conference",
                        f"the call {call_id!r} is in the conference {call.conference_name!r}",
                    )
                live, events = await self._enter(call, wish)
                await context.lobby.release(call)
            await self._place(live, call, events)
            return Joined(live.conference, call)

    async def call_and_join(self, new: NewCall, wish: Wish) -> Joined:
        """Make a call and bring it into a conference; it ends when it leaves. Raises `ParleyError`."""
        context = self._context
        context.check_ready()
        await _check_urls(context, wish)
        call = make_call(context, new, one_request=True)
        async with context.live.locked((new.project_id, wish.name)):
            live, events = await self._enter(call, wish)
            context.calls.add(call)
            if call.media_socket is live.shared and call.remote is not None:
                live.remotes.add(call.remote)
            await self._place(live, call, events)
            return Joined(live.conference, call)

    async def _enter(self, call: Call, wish: Wish) -> tuple[Live, Sequence[Event]]:
        """Make the call a participant, on paper; return where and what that brought about.

        Nothing is left of it if this raises.
        """
        context = self._context
        live = context.live.named((call.project_id, wish.name))
        if live is None:
            context.check_takes_new("conferences")
        elif live.conference.size >= context.settings.max_participants:
            raise ParleyError(
                "conference_full", f"PARLEY_MAX_PARTICIPANTS lets {live.conference.size} into a conference"
            )
        command = self._command(live, call, wish)
        events, conference, entries = consider(context, live.conference if live else None, command, context.clock.now())
        new = live is None
        if live is None:
            live = await self._new_live(conference)
        opened: list[MediaSocket] = []
        try:
            if call.one_request:
                await self._give_socket(live, call, opened)
            await write(context, conference, entries)
        except BaseException:
            await self._let_go(live, call, opened, new=new)
            raise
        live.conference, live.latest_at = conference, max(event.at for event in events)
        if new:
            context.live.add(live)
        call.conference_id, call.conference_name = live.conference_id, wish.name
        call.playout = wish.playout
        return live, events

    def _command(self, live: Live | None, call: Call, wish: Wish) -> Join:
        settings = self._context.settings
        return Join(
            conference_id=live.conference_id if live else self._context.new_id(),
            name=wish.name,
            project_id=call.project_id,
            call_id=call.call_id,
            label=call.label,
            metadata=call.metadata,
            muted=wish.muted,
            beep=wish.beep,
            wait_url=wish.wait_url,
            start_on_enter=wish.start_on_enter,
            end_on_exit=wish.end_on_exit,
            coach=wish.coach,
            media_connected=call.connected or not call.media.receives,
            min_participants_to_start=wish.min_participants_to_start or settings.min_participants_to_start,
            max_participants=wish.max_participants,
            region=wish.region,
            default_region=settings.region,
            callback=wish.callback,
            recording_callback=wish.recording_callback,
            recording=self._plan(wish),
        )

    def _plan(self, wish: Wish) -> RecordingPlan | None:
        if not wish.record:
            return None
        recording_id = self._context.new_id()
        url = audio_url(self._context.settings.link_base, recording_id)
        return RecordingPlan(recording_id, url, wish.trim, wish.tracks)

    async def _new_live(self, conference: Conference) -> Live:
        context, conference_id = self._context, conference.conference_id

        def report(what: Report | AnnouncementReport) -> None:
            self._on_report(conference_id, what)

        mixer = await self._launch(conference_id)
        sounds = Sounds(
            mixer,
            context.prompts,
            context.calls,
            context.tasks,
            context.new_id,
            conference=lambda: live.conference,
            report=report,
        )
        live = Live(conference, mixer, sounds, report)
        return live

    async def _launch(self, conference_id: str) -> MixerHandle:
        def on_report(_mixer: MixerHandle, news: News) -> None:
            self._on_news(conference_id, news)

        def on_exit(_mixer: MixerHandle, status: int | None) -> None:
            self._on_death(conference_id, status)

        try:
            return await self._context.mixers.launch(
                mixer_config(self._context.settings, conference_id), on_report, on_exit
            )
        except LaunchFailed as error:
            raise ParleyError("mixer_unavailable", f"no mixer could be started: {error}") from error

    async def _give_socket(self, live: Live, call: Call, opened: list[MediaSocket]) -> None:
        """Use the conference's shared socket if the far end is known and not on it yet, else open an own one."""
        if call.remote is None or call.remote in live.remotes:
            opened.append(open_socket(self._context, call.media, shared=False))
            use_socket(call, opened[-1])
            return
        if live.shared is None:
            shared = open_socket(self._context, None, shared=True)
            opened.append(shared)
            try:
                await live.mixer.lend_socket(shared)
            except (MixerGone, MixerRefused) as error:
                raise ParleyError("mixer_unavailable", f"the mixer takes no socket: {error}") from error
            live.shared = shared
        use_socket(call, live.shared)

    async def _let_go(self, live: Live, call: Call, opened: list[MediaSocket], *, new: bool) -> None:
        """Undo what was prepared for a join that nobody has heard of."""
        if new and live.mixer.alive:
            await live.mixer.stop()
        if new and live.shared is not None:
            live.shared.close()
        if call.one_request:
            close_own_socket(call)
        for media_socket in opened:
            if media_socket is not live.shared:
                media_socket.close()

    async def _place(self, live: Live, call: Call, events: Sequence[Event]) -> None:
        """Give the call its leg; if that fails, take the join back by events and raise `ParleyError`."""
        context = self._context
        directive = directives.leg(live.conference, live.conference.participants[call.call_id])
        try:
            await legs.add(
                live.mixer,
                call,
                directive,
                media_timeout_s=context.settings.media_timeout_s,
                monotonic=context.clock.monotonic(),
            )
        except (MixerGone, MixerRefused) as error:
            log.error("join_undone", call_id=call.call_id, conference_id=live.conference_id, reason=str(error))
            if live.mixer.alive:
                await carry_out(context, live, HangUp(call.call_id, LeftReason.ADD_FAILED), nobody)
            else:
                await carry_out(context, live, End(EndReason.MIXER_DIED), nobody)
            raise ParleyError("mixer_unavailable", f"the mixer could not take the call: {error}") from error
        live.told[call.call_id] = legs.part(call.call_id, directive)
        await tell_mixer(live, events)
        await record(context, live, events)
        sound(live, events)
