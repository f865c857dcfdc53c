import json
from typing import Any

import pytest
from pydantic import ValidationError

from server.conference import codec
from server.conference.events import Event
from tests.server.conference.examples import EVENTS


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_survives_the_journal(event: Event) -> None:
    stored = json.loads(json.dumps(codec.dump(event)))
    assert codec.load(stored) == event
    assert stored["type"] == event.type


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"type": "no_such_event", "at": 1.0},
        {"type": "participant_muted", "at": 1.0},
        {"type": "participant_left", "at": 1.0, "call_id": "a", "reason": "boredom"},
    ],
)
def test_what_is_no_event_is_refused(stored: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        codec.load(stored)


def test_what_the_first_version_wrote_can_be_read() -> None:
    # Written out, so that a field renamed by mistake is noticed before it meets somebody's journal.
    event = codec.load(
        {
            "at": 1.0,
            "call_id": "a",
            "conference_id": "conf-1",
            "name": "team",
            "project_id": "key-1",
            "settings": {
                "min_participants_to_start": 1,
                "max_participants": None,
                "region": None,
                "default_region": None,
            },
            "type": "participant_joined",
        }
    )
    assert event.status == "participant-join"
