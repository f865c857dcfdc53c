"""Which beeps follow from what happened. They are sounds, not events: nothing of them is logged.

The settings belong to the one who comes or goes, the beep to the others. Before the start nobody is in the mix, so
there is none; the join that starts the conference is heard by those who waited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from server.conference.events import Event, ParticipantJoined, ParticipantLeft
from server.conference.model import Conference, ConferenceState, LeftReason


@dataclass(frozen=True, slots=True)
class Beep:
    """A tone for everybody who hears the conference, but one."""

    kind: Literal["enter", "leave"]
    except_call_id: str
    """Who came or went: nobody hears a beep of its own."""


def beeps(events: Sequence[Event], after: Conference) -> list[Beep]:
    """Return the beeps due to the events of one command; `after` is the conference as all of them left it.

    None if nobody who hears the conference is there to hear them.
    """
    if after.state is not ConferenceState.ACTIVE:
        return []
    due: list[Beep] = []
    for event in events:
        match event:
            case ParticipantJoined() if event.beep_on_enter:
                due.append(Beep("enter", event.call_id))
            case ParticipantLeft() if _beeps_out(event, after):
                due.append(Beep("leave", event.call_id))
    return [beep for beep in due if _hears_one(after, beep)]


def _hears_one(after: Conference, beep: Beep) -> bool:
    # Looked for one by one: as a rule the first is one, and a list of all, made at each of two thousand joins, is long.
    others = (p for p in after.participants.values() if p.present and p.call_id != beep.except_call_id)
    return any(not p.hold for p in others)


def _beeps_out(event: ParticipantLeft, after: Conference) -> bool:
    # Who could not be added was never heard coming either.
    return after.participants[event.call_id].beep_on_exit and event.reason is not LeftReason.ADD_FAILED
