"""What the state of a conference means for its sound: who hears, who is heard, by whom, how loud.

This file decides what the mixer has to do now; the service sends the mixer what differs from before.
Exceptions to the shared mix are sparse: only coaches have a set of hearers, so nothing grows with the square
of the size.
"""

from dataclasses import dataclass
from typing import Literal

from server.conference.callbacks import Method
from server.conference.model import Conference, ConferenceState, Participant


@dataclass(frozen=True, slots=True)
class Program:
    """What a leg that does not hear the conference is played, from its beginning."""

    kind: Literal["wait", "hold"]
    url: str | None
    """None: the server's own music. Empty: silence."""
    method: Method | None = None
    """How the URL is fetched; None: whoever fetches it decides."""


@dataclass(frozen=True, slots=True)
class LegDirective:
    """How one leg takes part in the mix."""

    heard: bool
    """What the leg says reaches somebody."""
    hears: bool
    """The leg is sent the conference; otherwise it is sent its `program`."""
    gain: float
    """Linear, applied to what the leg says."""
    heard_by: frozenset[str] | None = None
    """The calls that hear it if it is heard; None: everybody in the mix. A mixer that cannot do this must not
    play the leg to anybody when it is a set."""
    program: Program | None = None
    """None if the leg hears the conference, and of a call that is in none: that one hears silence."""


def legs(conference: Conference) -> dict[str, LegDirective]:
    """Return the directive of each participant present, by call id, in the order of joining.

    `connecting` makes no difference: the mixer sees the first packet itself and must not lose it to a round
    trip.
    """
    return {p.call_id: leg(conference, p) for p in conference.present}


def leg(conference: Conference, participant: Participant) -> LegDirective:
    """Return the directive of one participant who is present."""
    in_mix = conference.state is ConferenceState.ACTIVE and not participant.hold
    heard_by: frozenset[str] | None = None
    if participant.coaching:
        heard_by = frozenset() if participant.coach is None else frozenset({participant.coach})
    return LegDirective(
        heard=in_mix and not participant.muted and heard_by != frozenset(),
        hears=in_mix,
        gain=10.0 ** (participant.gain_db / 20.0),
        heard_by=heard_by,
        program=None if in_mix else _program(participant),
    )


def _program(participant: Participant) -> Program:
    # A hold is for this one participant, so it wins over the waiting of all, and outlasts it.
    if participant.hold:
        return Program("hold", participant.hold_music.url, participant.hold_music.method)
    return Program("wait", participant.wait_music.url, participant.wait_music.method)
