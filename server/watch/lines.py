"""One EVENT as one line: when, which conference, what, who, and then whatever else is worth a glance."""

from typing import Any, Final

from server.conference.moments import rfc3339_ms

_SAID_ALREADY: Final = frozenset(
    [
        "call_id",
        "conference_id",
        "name",
        "node_id",
        "participant_call_id",
        "region",
        "sequence",
        "size",
        "status",
        "timestamp",
    ]
)
_PAD: Final = 18
"""Width of the longest everyday status; longer ones push the rest of their line to the right."""


def event_line(event: dict[str, Any]) -> str:
    """Return the line of an EVENT, without its end. Flags that are off are left out."""
    params = event["params"]
    head = f"{rfc3339_ms(event['timestamp'])} {_word(params['name'])} #{event['sequence']} {params['status']:<{_PAD}}"
    parts = [head.rstrip() if "participant_call_id" not in params else head]
    if params.get("participant_call_id"):
        parts.append(params["participant_call_id"])
    parts.append(f"size={event['size']}")
    for name, value in params.items():
        if name in _SAID_ALREADY or value is None or value is False:
            continue
        parts.append(name if value is True else f"{name}={_word(value)}")
    return " ".join(parts)


def _word(value: object) -> str:
    """Return a value so that it stays one word of one line, whatever a user put into it."""
    text = str(value)
    plain = text and not any(character.isspace() or character in "\"'" for character in text) and text.isprintable()
    return text if plain else repr(text)
