"""Events as JSON objects, for the journal, and back.

A field added to an event later needs a default, so that older journals can still be read.
"""

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter

from server.conference.events import Event

_EVENTS: Final[TypeAdapter[Event]] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def dump(event: Event) -> dict[str, Any]:
    """Return the event as a JSON object whose `type` names it."""
    dumped: dict[str, Any] = _EVENTS.dump_python(event, mode="json")
    return dumped


def load(stored: dict[str, Any]) -> Event:
    """Return the event that `dump` wrote; pydantic's `ValidationError` if it is none."""
    return _EVENTS.validate_python(stored)
