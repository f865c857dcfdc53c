"""Who speaks: what a conference's mixer hears of each leg, and what the rules make of it.

A mixer tells of every leg's speech, also of one that nobody hears; whether it counts is the conference's rule
(`server.conference.speaking`). What the mixer said is kept, as it says each change only once: who is unmuted while
speaking speaks from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mixer.protocol import LegStats, Levels, MixerStats
from server.conference import directives
from server.conference.commands import Speech
from server.conference.model import Conference


@dataclass(slots=True)
class Heard:
    """What a mixer heard last."""

    talking: set[str] = field(default_factory=set)
    """Calls from which speech comes, whoever hears it."""
    active: str | None = None
    """The loudest of them, kept for a while."""
    level_dbov: dict[str, float] = field(default_factory=dict)
    """Of some of them, the loudest first."""

    def note(self, levels: Levels) -> None:
        """Take what comes a few times a second."""
        self.active, self.level_dbov = levels.active, levels.calls

    def change(self, call_id: str, *, speaking: bool) -> None:
        """Take what comes at each change."""
        if speaking:
            self.talking.add(call_id)
        else:
            self.forget(call_id)

    def forget(self, call_id: str) -> None:
        """Take that a call is silent, or gone."""
        self.talking.discard(call_id)
        self.level_dbov.pop(call_id, None)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a conference."""

    calls: Sequence[LegStats]
    mixer: MixerStats
    speaking: frozenset[str]
    active_speaker: str | None


def unnoticed(conference: Conference, heard: Heard) -> list[Speech]:
    """Return the speech that has begun to count by what has changed in the conference."""
    found = []
    for call_id in sorted(heard.talking):
        participant = conference.find_present(call_id)
        if participant and not participant.speaking and directives.leg(conference, participant).heard:
            found.append(Speech(call_id, True))
    return found


def active_speaker(conference: Conference, heard: Heard) -> str | None:
    """Return the call to show as the one who speaks: the mixer's choice, or the loudest, of those who are heard."""
    for call_id in [heard.active, *heard.level_dbov]:
        participant = None if call_id is None else conference.find_present(call_id)
        if participant is not None and participant.speaking:
            return call_id
    return None
