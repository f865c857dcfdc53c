"""The rules of leaving and ending.

The order is fixed: the leaver's events, then what follows for the others (their leaving, in the order they
joined, if the conference is over; else the coaches who lost their coachee), then the conference's end. Of one who
leaves, what is being said and played to it is over before it is gone; what was played to all fails when all are.
What came of recordings may follow on the end.
"""

from collections.abc import Iterable
from dataclasses import replace

from server.conference.announcing import CONFERENCE_ENDED, PARTICIPANT_LEFT, cut_short
from server.conference.commands import End, HangUp, Kick, Leave, Media
from server.conference.events import ConferenceEnded, Event, ParticipantLeft
from server.conference.model import Conference, EndReason, LeftReason, Participant
from server.conference.recording_rules import after_the_end
from server.conference.speaking import fall_silent
from server.conference.updating import modified

_REASON_LEFT: dict[EndReason, LeftReason] = {
    EndReason.VIA_API: LeftReason.CONFERENCE_ENDED_VIA_API,
    EndReason.SERVER_RESTARTED: LeftReason.SERVER_RESTARTED,
    EndReason.SERVER_STOPPED: LeftReason.SERVER_STOPPED,
    EndReason.MIXER_DIED: LeftReason.MIXER_DIED,
}


def depart(
    conference: Conference, leaver: Participant, command: Leave | Kick | HangUp, reason: LeftReason, now: float
) -> list[Event]:
    """Return what happens when `leaver` goes by `command`: the conference may end by it."""
    media, kicked = command.media, isinstance(command, Kick)
    going = _go(conference, [leaver], media, reason, PARTICIPANT_LEFT, now)
    others = [p for p in conference.present if p.call_id != leaver.call_id]
    # Someone with end_on_exit ends the conference by that rule even when nobody else is left to notice.
    if leaver.end_on_exit:
        end_reason = EndReason.EXIT_KICKED if kicked else EndReason.EXIT_LEFT
    elif not others:
        end_reason = EndReason.LAST_KICKED if kicked else EndReason.LAST_LEFT
    else:
        return [*going, *_coaches_left_alone(others, leaver.call_id, now)]
    return [
        *going,
        *_go(conference, others, media, LeftReason.MODERATOR_ENDED, CONFERENCE_ENDED, now),
        *cut_short(conference, None, CONFERENCE_ENDED, now),
        ConferenceEnded(at=now, reason=end_reason, call_id_ending_conf=leaver.call_id),
        *after_the_end(conference, now),
    ]


def end(conference: Conference, command: End, now: float) -> list[Event]:
    """Return what happens when the conference is ended from outside."""
    return [
        *_go(conference, conference.present, command.media, _REASON_LEFT[command.reason], CONFERENCE_ENDED, now),
        *cut_short(conference, None, CONFERENCE_ENDED, now),
        ConferenceEnded(at=now, reason=command.reason),
        *after_the_end(conference, now),
    ]


def _go(
    conference: Conference,
    leavers: Iterable[Participant],
    media: Media,
    reason: LeftReason,
    reason_unplayed: str,
    now: float,
) -> list[Event]:
    events: list[Event] = []
    for leaver in leavers:
        events += fall_silent(leaver, now)
        events += cut_short(conference, leaver.call_id, reason_unplayed, now)
        events.append(ParticipantLeft(at=now, call_id=leaver.call_id, reason=reason, media=media.get(leaver.call_id)))
    return events


def _coaches_left_alone(others: Iterable[Participant], coachee: str, now: float) -> list[Event]:
    # A coach whose coachee is gone listens on, audible to nobody, until someone updates it: the room must
    # never hear by accident what was meant for one, nor may the coachee's next stay.
    events: list[Event] = []
    for coach in (p for p in others if p.coach == coachee):
        events += [*fall_silent(coach, now), modified(replace(coach, coach=None), now)]
    return events
