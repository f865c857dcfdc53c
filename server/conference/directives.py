"""What the state of a conference means for its sound: who hears, who is heard, by whom, how loud.

This file decides what the mixer has to do now; the service sends the mixer what differs from before.
Exceptions to the shared mix are sparse: only coaches have a set of hearers, so nothing grows with the square
of the size.
"""

from dataclasses import dataclass

from server.conference.model import Conference, ConferenceState, Participant


@dataclass(frozen=True, slots=True)
class LegDirective:
    """How one leg takes part in the mix."""

    heard: bool
    """What the leg says reaches somebody."""
    hears: bool
    """The leg is sent the conference; otherwise it is sent what waiting and held calls hear."""
    gain: float
    """Linear, applied to what the leg says."""
    heard_by: frozenset[str] | None = None
    """The calls that hear it if it is heard; None: everybody in the mix. A mixer that cannot do this must not
    play the leg to anybody when it is a set."""


def legs(conference: Conference) -> dict[str, LegDirective]:
    """Return the directive of each participant present, by call id, in the order of joining.

    `connecting` makes no difference: the mixer sees the first packet itself and must not lose it to a round
    trip.
    """
    mixing = conference.state is ConferenceState.ACTIVE
    return {p.call_id: _directive(p, mixing=mixing) for p in conference.present}


def _directive(participant: Participant, *, mixing: bool) -> LegDirective:
    in_mix = mixing and not participant.hold
    heard_by: frozenset[str] | None = None
    if participant.coaching:
        heard_by = frozenset() if participant.coach is None else frozenset({participant.coach})
    return LegDirective(
        heard=in_mix and not participant.muted and heard_by != frozenset(),
        hears=in_mix,
        gain=10.0 ** (participant.gain_db / 20.0),
        heard_by=heard_by,
    )
