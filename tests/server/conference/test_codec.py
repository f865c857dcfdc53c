import json
from typing import Any

import pytest
from pydantic import ValidationError

from server.conference import codec
from server.conference.events import Event, ParticipantLeft
from server.conference.evolve import evolve
from server.conference.model import Conference, Music
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


# Written out, so that a field renamed or added without a default is noticed before it meets somebody's journal.
OF_THE_FIRST_VERSION: list[dict[str, Any]] = [
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
        "label": "anna",
        "metadata": {"k": 1},
        "tag": None,
        "muted": False,
        "coach": None,
        "start_on_enter": True,
        "end_on_exit": False,
        "media_connected": True,
        "type": "participant_joined",
    },
    {"at": 1.0, "call_id": "a", "type": "conference_started"},
    {"at": 2.0, "call_id": "a", "type": "participant_muted"},
    {"at": 2.0, "call_id": "a", "type": "participant_held"},
    {
        "at": 2.0,
        "call_id": "a",
        "coaching": False,
        "coach": None,
        "end_on_exit": True,
        "gain_db": -6.0,
        "type": "participant_modified",
    },
    {"at": 3.0, "call_id": "a", "type": "participant_unheld"},
    {"at": 3.0, "call_id": "a", "type": "participant_unmuted"},
    {"at": 4.0, "call_id": "a", "type": "participant_lost"},
    {"at": 5.0, "call_id": "a", "digit": "1", "duration_ms": 80, "type": "participant_sent_digit"},
    {"at": 6.0, "call_id": "a", "reason": "participant_hung_up", "type": "participant_left"},
    {"at": 6.0, "reason": "last-participant-left", "call_id_ending_conf": "a", "type": "conference_ended"},
]


def test_who_left_before_figures_were_kept_has_none() -> None:
    left = codec.load(OF_THE_FIRST_VERSION[-2])
    assert isinstance(left, ParticipantLeft)
    assert left.media is None


def test_a_journal_of_the_first_version_can_be_read() -> None:
    conference: Conference | None = None
    for stored in OF_THE_FIRST_VERSION:
        conference = evolve(conference, codec.load(stored))
    assert conference is not None
    assert (conference.status, conference.sequence) == ("completed", len(OF_THE_FIRST_VERSION))
    (anna,) = conference.stays
    assert (anna.label, anna.gain_db, anna.end_on_exit, anna.hold) == ("anna", -6.0, True, False)
    assert (anna.wait_music, anna.hold_music, anna.speaking) == (Music(), Music(), False)
