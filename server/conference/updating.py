"""The rules of changing how a participant takes part. What changes nothing yields no event."""

from dataclasses import replace

from server.conference.callbacks import Method
from server.conference.commands import Keep, Update
from server.conference.events import (
    Event,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from server.conference.joining import check_coachee
from server.conference.model import GAIN_DB_BOUNDS, SERVERS_MUSIC, Conference, Music, Participant
from server.conference.refusals import Refusal
from server.conference.speaking import fall_silent


def update(conference: Conference, participant: Participant, command: Update, now: float) -> list[Event]:
    """Return the events of an update, mute before hold before the rest; all of it is refused, or none.

    If it ends the participant's being heard, the end of its speech comes before everything.
    """
    _check_gain(command.gain_db)
    coaching, coach = _coaching(conference, participant, command)
    muted = participant.muted if command.muted is None else command.muted
    hold = participant.hold if command.hold is None else command.hold
    events: list[Event] = []
    # The state between the events of its own and the one for all the rest.
    between = replace(participant, muted=muted, hold=hold)
    if muted != participant.muted:
        events.append((ParticipantMuted if muted else ParticipantUnmuted)(at=now, call_id=participant.call_id))
    if hold and not participant.hold:
        between = replace(between, hold_music=_music(command.hold_url, command.hold_method, participant.hold_music))
        events.append(ParticipantHeld(at=now, call_id=participant.call_id, hold_music=between.hold_music))
    elif participant.hold and not hold:
        between = replace(between, hold_music=SERVERS_MUSIC)
        events.append(ParticipantUnheld(at=now, call_id=participant.call_id))
    after = replace(
        between,
        coaching=coaching,
        coach=coach,
        end_on_exit=participant.end_on_exit if command.end_on_exit is None else command.end_on_exit,
        gain_db=participant.gain_db if command.gain_db is None else command.gain_db,
        beep_on_exit=participant.beep_on_exit if command.beep_on_exit is None else command.beep_on_exit,
        wait_music=_music(command.wait_url, command.wait_method, between.wait_music),
        hold_music=_music(command.hold_url, command.hold_method, between.hold_music),
    )
    if after != between:
        events.append(modified(after, now))
    return [*fall_silent(participant, now), *events] if muted or hold else events


def modified(after: Participant, now: float) -> ParticipantModified:
    """Return the event by which a participant becomes like `after` in all that has no event of its own."""
    return ParticipantModified(
        at=now,
        call_id=after.call_id,
        coaching=after.coaching,
        coach=after.coach,
        end_on_exit=after.end_on_exit,
        gain_db=after.gain_db,
        beep_on_exit=after.beep_on_exit,
        wait_music=after.wait_music,
        hold_music=after.hold_music,
    )


def _music(url: str | Keep | None, method: Method | None, before: Music) -> Music:
    return before if isinstance(url, Keep) else Music(url, method)


def _check_gain(gain_db: float | None) -> None:
    low, high = GAIN_DB_BOUNDS
    # Written so that NaN is refused too.
    if gain_db is not None and not low <= gain_db <= high:
        raise Refusal("invalid_request", f"gain_db: must be {low:g} to {high:g} dB, not {gain_db:g}")


def _coaching(conference: Conference, participant: Participant, command: Update) -> tuple[bool, str | None]:
    if command.coach is None:
        if command.coaching is None or command.coaching == participant.coaching:
            return participant.coaching, participant.coach
        if command.coaching:
            raise Refusal("coach_required", "coaching: true needs the call to coach in `coach`")
        return False, None
    if command.coaching is False:
        raise Refusal("invalid_request", "coaching: false and a call to coach exclude each other")
    if command.coach == participant.call_id:
        raise Refusal("invalid_request", "coach: a participant cannot coach itself")
    check_coachee(conference, command.coach)
    return True, command.coach
