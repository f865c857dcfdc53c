import pytest

from server.conference.events import (
    AnnouncementQueued,
    AnnouncementStarted,
    Event,
    ParticipantConnected,
    RecordingMeasured,
    RecordingStopping,
)
from tests.server.conference.examples import EVENTS, KINDS

SILENT = (ParticipantConnected, AnnouncementQueued, AnnouncementStarted, RecordingStopping, RecordingMeasured)


def test_there_is_an_example_of_each_kind() -> None:
    assert [type(event) for event in EVENTS] == list(KINDS)


def test_every_event_but_the_silent_ones_has_a_status_of_its_own() -> None:
    logged = [kind.status for kind in KINDS if kind not in SILENT]
    assert None not in logged
    assert len(set(logged)) == len(logged)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_what_has_a_status_is_logged(event: Event) -> None:
    assert event.logged is not isinstance(event, SILENT)
