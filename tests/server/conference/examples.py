"""One event of each kind, every field with a value of its own."""

from typing import Final, get_args

from server.conference.events import (
    ConferenceEnded,
    ConferenceStarted,
    Event,
    ParticipantConnected,
    ParticipantHeld,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantLost,
    ParticipantModified,
    ParticipantMuted,
    ParticipantSentDigit,
    ParticipantUnheld,
    ParticipantUnmuted,
)
from server.conference.model import ConferenceSettings, EndReason, LeftReason

KINDS: Final[tuple[type[Event], ...]] = get_args(Event)

EVENTS: Final[tuple[Event, ...]] = (
    ParticipantJoined(
        at=1.25,
        call_id="a",
        conference_id="conf-1",
        name="Zoë's \u00fc/\U0001f600",
        project_id="key-1",
        settings=ConferenceSettings(2, 50, "eu", "us"),
        label="anna",
        metadata={"nested": {"list": [1, 2.5, None, True]}, "odd": "\ud800"},
        tag="t",
        muted=True,
        coach="b",
        start_on_enter=False,
        end_on_exit=True,
        media_connected=True,
    ),
    ParticipantConnected(at=2.0, call_id="a"),
    ConferenceStarted(at=3.0, call_id="a"),
    ParticipantMuted(at=4.0, call_id="a"),
    ParticipantUnmuted(at=5.0, call_id="a"),
    ParticipantHeld(at=6.0, call_id="a"),
    ParticipantUnheld(at=7.0, call_id="a"),
    ParticipantModified(at=8.0, call_id="a", coaching=True, coach=None, end_on_exit=True, gain_db=-3.5),
    ParticipantLost(at=9.0, call_id="a"),
    ParticipantSentDigit(at=10.0, call_id="a", digit="*", duration_ms=90),
    ParticipantLeft(at=11.0, call_id="a", reason=LeftReason.MEDIA_TIMEOUT),
    ConferenceEnded(at=12.0, reason=EndReason.LAST_KICKED, call_id_ending_conf="a"),
)
