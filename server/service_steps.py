"""One step of a conference: what the rules decide is logged, becomes the state, and then the sound.

Order: decide, append to the journal, evolve, tell the mixer. If somebody leaves by it, what there is to tell of his
media, and of a recording that ends, is asked for before it is written, and it is decided again with that. A refusal, or
a journal that cannot be written, changes nothing. The caller holds the lock of the conference's name.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from server.calls import legs
from server.calls.model import Call
from server.conference import directives
from server.conference.commands import Command, Departure
from server.conference.decide import decide
from server.conference.events import (
    ConferenceStarted,
    Event,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from server.conference.log import LoggedEvent, enact
from server.conference.model import Conference, Participant
from server.conference.refusals import Refusal
from server.errors import ParleyError
from server.journal import JournalUnavailable
from server.mixers.errors import MixerGone, MixerRefused
from server.service_calls import finish_call
from server.service_context import Context
from server.service_leaving import media_of_leavers
from server.service_live import Live
from server.service_recorders import follow as record
from server.service_recorders import measured
from server.service_speech import unnoticed
from server.webhooks.plan import plan

log = structlog.get_logger(__name__)


_CHANGES_A_LEG: Final = (
    ParticipantJoined,
    ParticipantMuted,
    ParticipantUnmuted,
    ParticipantHeld,
    ParticipantUnheld,
    ParticipantModified,
)
"""Events after which one participant, the one they name, hears or is heard in another way. A start concerns all."""


def nobody(_call: Call) -> bool:
    """Hang up none of the leavers beyond those that joined in one request."""
    return False


def everybody(_call: Call) -> bool:
    """Hang up all who leave."""
    return True


async def carry_out(
    context: Context, live: Live, command: Command, hang_up: Callable[[Call], bool] = nobody
) -> list[Event]:
    """Carry a command out on a conference in progress; return what happened.

    Leavers for whom `hang_up` says so, and all that joined in one request, are hung up; the others go back to the
    lobby. Raises `ParleyError`.
    """
    commands = await _with_what_is_to_be_told(context, live, command)
    now = context.clock.now()
    return await _carry_out(context, live, [(each, now) for each in commands], hang_up)


async def take(context: Context, live: Live, reports: Sequence[tuple[Command, float]]) -> None:
    """Carry out what was reported, as of when it was (Unix seconds): all of it in order, with one write, or nothing.

    Nobody leaves by a report, and none needs another to be carried out first. What was written since, while these
    could not be, is before them in the log, and there time does not go back.
    """
    happened = [(report, max(at, live.latest_at)) for report, at in reports]
    await _carry_out(context, live, happened, nobody)


async def _carry_out(
    context: Context, live: Live, commands: Sequence[tuple[Command, float]], hang_up: Callable[[Call], bool]
) -> list[Event]:
    events, conference, entries = consider_all(context, live.conference, commands)
    await write(context, conference, entries)
    live.conference = conference
    live.latest_at = max((event.at for event in events), default=live.latest_at)
    await follow(context, live, events, hang_up)
    return events


async def _with_what_is_to_be_told(context: Context, live: Live, command: Command) -> list[Command]:
    """Return a command with what the events of leaving and of the end are to tell besides, as far as it is known."""
    if not isinstance(command, Departure):
        return [command]
    foreseen = _decided(live.conference, command, context.clock.now())
    if not foreseen:
        return [command]
    results, media = await asyncio.gather(measured(context, live, foreseen), media_of_leavers(live, foreseen))
    return [*results, replace(command, media=media)]


def consider_all(
    context: Context, conference: Conference, commands: Sequence[tuple[Command, float]]
) -> tuple[list[Event], Conference, list[LoggedEvent]]:
    """Return what commands, each at its time, would bring about and leave behind; raise `ParleyError` if one is not to
    be carried out.
    """
    events: list[Event] = []
    entries: list[LoggedEvent] = []
    for command, at in commands:
        brought_about, conference, logged = consider(context, conference, command, at)
        events += brought_about
        entries += logged
    return events, conference, entries


def consider(
    context: Context, conference: Conference | None, command: Command, at: float
) -> tuple[list[Event], Conference, list[LoggedEvent]]:
    """Return what a command would bring about and leave behind at a time; raise `ParleyError` if it is refused."""
    events = _decided(conference, command, at)
    after, entries = enact(conference, events, context.new_id, context.origin)
    return events, after, entries


def _decided(conference: Conference | None, command: Command, at: float) -> list[Event]:
    try:
        return decide(conference, command, at)
    except Refusal as refusal:
        raise ParleyError(refusal.code, refusal.detail) from refusal


async def write(context: Context, conference: Conference, entries: Sequence[LoggedEvent]) -> None:
    """Append to the journal; raise `ParleyError` if that cannot be done now."""
    deliveries = plan(conference.settings, [entry.wire for entry in entries])
    try:
        lane_ids = await context.journal.append(conference, entries, deliveries)
    except JournalUnavailable as error:
        log.error("journal_unavailable", reason=str(error), conference_id=conference.conference_id)
        raise ParleyError("journal_unavailable", "events cannot be written now; nothing was changed") from error
    context.bell.ring()
    context.webhooks.notify(lane_ids)
    for entry in entries:
        log.info(
            "conference_event",
            conference_id=conference.conference_id,
            status=entry.event.status,
            sequence=entry.sequence,
            call_id=entry.wire["params"].get("participant_call_id"),
        )


async def follow(context: Context, live: Live, events: Sequence[Event], hang_up: Callable[[Call], bool]) -> None:
    """Bring calls and mixer in line with what happened."""
    leavers: list[tuple[Call, str]] = []
    for event in events:
        call = context.calls.find(event.call_id) if isinstance(event, ParticipantLeft) else None
        if isinstance(event, ParticipantLeft) and call is not None:
            leavers.append((call, event.reason.value))
    await asyncio.gather(*(_move_out(context, live, call, why, hang_up) for call, why in leavers))
    if live.ended:
        await close(context, live)
        return
    await tell_mixer(live, events)
    await record(context, live, events)
    sound(live, events)


def sound(live: Live, events: Sequence[Event]) -> None:
    """Let be heard, and told, what follows from events once the mixer knows who hears whom."""
    live.sounds.follow(events)
    for speech in unnoticed(live.conference, live.heard):
        live.report(speech)


async def tell_mixer(live: Live, events: Sequence[Event]) -> None:
    """Tell the mixer what is different for its legs after events, and let those hear what they are to hear."""
    wanted = {p.call_id: directives.leg(live.conference, p) for p in _concerned(live.conference, events)}
    wanted = {call_id: leg for call_id, leg in wanted.items() if call_id in live.told}
    parts = {call_id: legs.part(call_id, leg) for call_id, leg in wanted.items()}
    changed = {call_id: part for call_id, part in parts.items() if part != live.told[call_id]}
    live.sounds.end_programs(wanted)
    if changed:
        try:
            # All in one message: who waited hears the conference from the same tick on.
            await live.mixer.update_legs(list(changed.values()))
        except MixerRefused as error:
            log.error("legs_not_updated", call_ids=sorted(changed), reason=error.reason)
        except MixerGone:
            return  # dealt with when its end is reported
        else:
            live.told.update(changed)
    live.sounds.begin_programs(wanted)


def _concerned(conference: Conference, events: Sequence[Event]) -> Sequence[Participant]:
    """Return the participants whose part in the mix may be another one after events."""
    if any(isinstance(event, ConferenceStarted) for event in events):
        return conference.present
    named = dict.fromkeys(event.call_id for event in events if isinstance(event, _CHANGES_A_LEG))
    found = (conference.find_present(call_id) for call_id in named)
    return [participant for participant in found if participant is not None]


async def close(context: Context, live: Live) -> None:
    """Stop the mixer of a conference that ended and close what it had."""
    live.sounds.close()
    if live.mixer.alive:
        await live.mixer.stop()
    if live.shared is not None:
        live.shared.close()
    context.live.remove(live)
    log.info("conference_closed", conference_id=live.conference_id)


async def _move_out(context: Context, live: Live, call: Call, reason: str, hang_up: Callable[[Call], bool]) -> None:
    over = call.one_request or hang_up(call)
    live.heard.forget(call.call_id)
    live.sounds.forget(call.call_id)
    had_leg = live.told.pop(call.call_id, None) is not None
    on_shared = call.media_socket is not None and call.media_socket.shared
    # A mixer that is about to be stopped says BYE to its legs by itself, and lets go of their sockets.
    if had_leg and not (over and live.ended):
        await legs.take(live.mixer, call, bye=over, monotonic=context.clock.monotonic())
    if on_shared and call.remote is not None:
        live.remotes.discard(call.remote)
    if over:
        finish_call(context, call, reason)
        return
    async with context.calls.lock(call):
        call.conference_id = call.conference_name = None
        try:
            await context.lobby.take_back(call)
        except MixerRefused as error:
            log.error("call_lost", call_id=call.call_id, reason=error.reason)
            finish_call(context, call, "mixer_unavailable")
