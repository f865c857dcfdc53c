"""Draws `docs/states.md` from the tables of `transitions`; the page itself says how."""

import sys
from collections.abc import Iterable

from server.conference.events import Event
from server.conference.model import ConferenceState, ParticipantState
from server.conference.transitions import CONFERENCE, PARTICIPANT

_HEAD = """\
# States

This page is made from the tables in `server/conference/transitions.py`; a test fails when it is out of date:

```
python -m server.conference.diagram > docs/states.md
```
"""


_MEANING = {
    ConferenceState.WAITING: "too few are here, or no starter: nobody hears and nobody is heard",
    ConferenceState.ACTIVE: "started; stays so, however few remain",
    ConferenceState.ENDED: "over: no join, no change; its name is free again",
}


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join([_HEAD, _conference(), _participant(), _events()])


def _conference() -> str:
    arrows = [
        (before.value, kind.__name__, after.value)
        for (before, kind), after in CONFERENCE.items()
        if before is not after
    ]
    names = [f"| {state.value} | `{state.status}` | {_MEANING[state]} |" for state in ConferenceState]
    return "\n".join(
        [
            "## A conference",
            "",
            *_mermaid(ConferenceState.WAITING.value, arrows, ConferenceState.ENDED.value),
            "",
            "| State | `status` | Meaning |",
            "|---|---|---|",
            *names,
            "",
        ]
    )


def _participant() -> str:
    arrows = [
        (before.value, _participant_label(before, kind, conference), after.value)
        for (before, kind, conference), after in PARTICIPANT.items()
        if before is not after
    ]
    return "\n".join(
        [
            "## A participant",
            "",
            "A participant whose packets came before it joined, or from whom none are expected, is never",
            "`connecting`. Who comes back after leaving starts a new stay.",
            "",
            *_mermaid(ParticipantState.CONNECTING.value, arrows, ParticipantState.LEFT.value),
            "",
        ]
    )


def _participant_label(before: ParticipantState, kind: type[Event], conference: ConferenceState) -> str:
    # The conference's state is worth its place in the picture only where it decides the outcome.
    outcomes = {after for (state, event, _), after in PARTICIPANT.items() if (state, event) == (before, kind)}
    return f"{kind.__name__} (conference {conference.value})" if len(outcomes) > 1 else kind.__name__


def _events() -> str:
    kinds = list(dict.fromkeys(kind for _, kind in CONFERENCE))
    rows = [f"| {kind.__name__} | {_status(kind)} | {_states_of(kind)} |" for kind in kinds]
    return "\n".join(
        [
            "## Events",
            "",
            "An event without a `status` is silent: it is not logged and takes no sequence number.",
            "Of a conference that has ended, all that may still be told is what came of a recording.",
            "",
            "| Event | `status` | May happen while the conference is |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _mermaid(first: str, arrows: Iterable[tuple[str, str, str]], last: str) -> list[str]:
    drawn = dict.fromkeys(f"    {before} --> {after}: {label}" for before, label, after in arrows)
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *drawn, f"    {last} --> [*]", "```"]


def _status(kind: type[Event]) -> str:
    return "(none)" if kind.status is None else f"`{kind.status}`"


def _states_of(kind: type[Event]) -> str:
    return ", ".join(before.value for before, event in CONFERENCE if event is kind)


if __name__ == "__main__":
    sys.stdout.write(page())
