"""The rules of changing how a participant takes part. What changes nothing yields no event."""

from dataclasses import dataclass

from server.conference.commands import Update
from server.conference.events import (
    Event,
    ParticipantHeld,
    ParticipantModified,
    ParticipantMuted,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from server.conference.joining import check_coachee
from server.conference.model import GAIN_DB_BOUNDS, Conference, Participant
from server.conference.refusals import Refusal


@dataclass(frozen=True, slots=True)
class _Modifiable:
    """Everything whose change is one `participant-modify`, whatever and however much of it changes."""

    coaching: bool
    coach: str | None
    end_on_exit: bool
    gain_db: float


def update(conference: Conference, participant: Participant, command: Update, now: float) -> list[Event]:
    """Return the events of an update, mute before hold before the rest; all of it is refused, or none."""
    _check_gain(command.gain_db)
    coaching, coach = _coaching(conference, participant, command)
    after = _Modifiable(
        coaching=coaching,
        coach=coach,
        end_on_exit=participant.end_on_exit if command.end_on_exit is None else command.end_on_exit,
        gain_db=participant.gain_db if command.gain_db is None else command.gain_db,
    )
    before = _Modifiable(participant.coaching, participant.coach, participant.end_on_exit, participant.gain_db)
    events: list[Event] = []
    call_id = participant.call_id
    if command.muted is not None and command.muted != participant.muted:
        muting = ParticipantMuted if command.muted else ParticipantUnmuted
        events.append(muting(at=now, call_id=call_id))
    if command.hold is not None and command.hold != participant.hold:
        holding = ParticipantHeld if command.hold else ParticipantUnheld
        events.append(holding(at=now, call_id=call_id))
    if after != before:
        events.append(
            ParticipantModified(
                at=now,
                call_id=call_id,
                coaching=after.coaching,
                coach=after.coach,
                end_on_exit=after.end_on_exit,
                gain_db=after.gain_db,
            )
        )
    return events


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
