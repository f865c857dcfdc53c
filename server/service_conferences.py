"""Use cases of conferences in progress: leaving, kicking, changing, ending, hanging up, and their figures.

Each takes the lock of the conference's name, so that of two requests the second sees what the first did.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.calls.model import Call, CallState
from server.conference.commands import Announce, End, HangUp, HangUpReason, Keep, Kick, Leave, Update
from server.conference.model import Conference, EndReason, LeftReason, Participant
from server.errors import ParleyError
from server.mixers.errors import MixerGone
from server.service_calls import hang_up_in_lobby, holding
from server.service_context import Context
from server.service_history import find_conference
from server.service_live import Live
from server.service_speech import Figures, active_speaker
from server.service_steps import carry_out, everybody, nobody


async def leave(context: Context, project_id: str, call_id: str, reference: str) -> None:
    """Take a call out of a conference. Raises `ParleyError`, of a call that is not in it too."""
    call = context.calls.get(project_id, call_id)
    async with in_progress(context, project_id, reference) as live:
        if call.state is CallState.ENDED:
            raise ParleyError("call_ended", f"the call {call_id!r} has ended")
        await carry_out(context, live, Leave(call_id))


async def kick(context: Context, project_id: str, reference: str, call_id: str) -> None:
    """Throw a participant out and hang up its call."""
    async with in_progress(context, project_id, reference) as live:
        _present(live, call_id)
        await carry_out(context, live, Kick(call_id), lambda call: call.call_id == call_id)


async def update(context: Context, project_id: str, reference: str, command: Update) -> tuple[Conference, Participant]:
    """Change how a participant takes part; return the conference and the participant afterwards."""
    for field, url in (("wait_url", command.wait_url), ("hold_url", command.hold_url)):
        if not isinstance(url, Keep):
            await context.check_url(field, url)
    async with in_progress(context, project_id, reference) as live:
        _present(live, command.call_id)
        await carry_out(context, live, command)
        return live.conference, live.conference.participants[command.call_id]


async def announce(context: Context, project_id: str, reference: str, url: str, call_id: str | None) -> str:
    """Have something played to all, or to one participant; return the announcement's id."""
    await context.check_url("url", url)
    async with in_progress(context, project_id, reference) as live:
        announcement_id = context.new_id()
        await carry_out(context, live, Announce(announcement_id, url, call_id))
        return announcement_id


async def end(context: Context, project_id: str, reference: str) -> Conference:
    """End a conference for all and return it."""
    async with in_progress(context, project_id, reference) as live:
        await carry_out(context, live, End())
        return live.conference


async def end_forced(context: Context, live: Live, reason: EndReason) -> None:
    """End a conference because its mixer died or the server stops; does nothing if it has ended."""
    async with context.live.locked(live.key):
        if live.ended:
            return
        if reason is EndReason.SERVER_STOPPED:
            await carry_out(context, live, End(EndReason.SERVER_STOPPED), everybody)
        else:
            await carry_out(context, live, End(EndReason.MIXER_DIED), nobody)


async def hang_up(context: Context, call: Call, reason: HangUpReason = LeftReason.HUNG_UP) -> None:
    """Hang up a call wherever it is; it leaves its conference first. Does nothing if it is over."""
    async with holding(context, call):
        if call.state is CallState.ENDED:
            return
        live = context.live.of(call)
        if live is None:
            await hang_up_in_lobby(context, call, reason.value)
        else:
            await carry_out(context, live, HangUp(call.call_id, reason), lambda leaver: leaver.call_id == call.call_id)


async def stats(context: Context, project_id: str, reference: str) -> Figures:
    """Return the figures of a conference's legs and of its mixer, and who speaks."""
    live = await find_live(context, project_id, reference)
    try:
        calls, mixer = await live.mixer.stats()
    except MixerGone as error:
        raise ParleyError("mixer_unavailable", f"the conference's mixer does not answer: {error}") from error
    speaking = frozenset(participant.call_id for participant in live.conference.present if participant.speaking)
    return Figures(calls, mixer, speaking, active_speaker(live.conference, live.heard))


async def find_live(context: Context, project_id: str, reference: str) -> Live:
    """Return a conference in progress; raise `ParleyError`: not_found, or conference_ended."""
    live = context.live.find(project_id, reference)
    if live is not None:
        return live
    ended = await find_conference(context, project_id, reference)
    raise ParleyError("conference_ended", f"the conference {ended.name!r} has ended")


@asynccontextmanager
async def in_progress(context: Context, project_id: str, reference: str) -> AsyncIterator[Live]:
    """Hold a conference; it is still in progress once the lock is had, or this raises."""
    context.check_ready()
    live = await find_live(context, project_id, reference)
    async with context.live.locked(live.key):
        if live.ended:
            raise ParleyError("conference_ended", f"the conference {live.conference.name!r} has ended")
        yield live


def _present(live: Live, call_id: str) -> None:
    if live.conference.find_present(call_id) is None:
        raise ParleyError(
            "not_found", f"there is no participant {call_id!r} in the conference {live.conference.name!r}"
        )
