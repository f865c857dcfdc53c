"""The rules of leaving and ending.

The order is fixed: the leaver's event, then what follows for the others (their leaving, in the order they
joined, if the conference is over; else the coaches who lost their coachee), then the conference's end.
"""

from collections.abc import Iterable

from server.conference.commands import ForcedEndReason
from server.conference.events import ConferenceEnded, Event, ParticipantLeft, ParticipantModified
from server.conference.model import Conference, EndReason, LeftReason, Participant

_REASON_LEFT: dict[EndReason, LeftReason] = {
    EndReason.VIA_API: LeftReason.CONFERENCE_ENDED_VIA_API,
    EndReason.SERVER_RESTARTED: LeftReason.SERVER_RESTARTED,
    EndReason.SERVER_STOPPED: LeftReason.SERVER_STOPPED,
    EndReason.MIXER_DIED: LeftReason.MIXER_DIED,
}


def depart(conference: Conference, leaver: Participant, reason: LeftReason, now: float, *, kicked: bool) -> list[Event]:
    """Return what happens when `leaver` goes: the conference may end by it."""
    left = ParticipantLeft(at=now, call_id=leaver.call_id, reason=reason)
    others = [p for p in conference.present if p.call_id != leaver.call_id]
    # Someone with end_on_exit ends the conference by that rule even when nobody else is left to notice.
    if leaver.end_on_exit:
        end_reason = EndReason.EXIT_KICKED if kicked else EndReason.EXIT_LEFT
    elif not others:
        end_reason = EndReason.LAST_KICKED if kicked else EndReason.LAST_LEFT
    else:
        return [left, *_coaches_left_alone(others, leaver.call_id, now)]
    ended = ConferenceEnded(at=now, reason=end_reason, call_id_ending_conf=leaver.call_id)
    return [left, *_all_leave(others, LeftReason.MODERATOR_ENDED, now), ended]


def end(conference: Conference, reason: ForcedEndReason, now: float) -> list[Event]:
    """Return what happens when the conference is ended from outside."""
    return [
        *_all_leave(conference.present, _REASON_LEFT[reason], now),
        ConferenceEnded(at=now, reason=reason),
    ]


def _all_leave(participants: Iterable[Participant], reason: LeftReason, now: float) -> list[Event]:
    return [ParticipantLeft(at=now, call_id=p.call_id, reason=reason) for p in participants]


def _coaches_left_alone(others: Iterable[Participant], coachee: str, now: float) -> list[Event]:
    # A coach whose coachee is gone listens on, audible to nobody, until someone updates it: the room must
    # never hear by accident what was meant for one, nor may the coachee's next stay.
    return [
        ParticipantModified(
            at=now, call_id=p.call_id, coaching=True, coach=None, end_on_exit=p.end_on_exit, gain_db=p.gain_db
        )
        for p in others
        if p.coach == coachee
    ]
