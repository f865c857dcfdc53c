"""One event of each kind, every field with a value of its own."""

from typing import Final, get_args

from server.conference.callbacks import Callback
from server.conference.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnnouncementQueued,
    AnnouncementStarted,
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
    ParticipantSpeechStarted,
    ParticipantSpeechStopped,
    ParticipantUnheld,
    ParticipantUnmuted,
    RecordingMeasured,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
    RecordingStopped,
    RecordingStopping,
)
from server.conference.media import CallMedia
from server.conference.model import Announcement, ConferenceSettings, EndReason, LeftReason, Music
from server.conference.recordings import (
    PauseBehavior,
    RecordingPlan,
    RecordingResult,
    RecordingSource,
    RecordingState,
)

MEDIA: Final = CallMedia(
    packets_in=1,
    packets_out=2,
    lost=3,
    late=4,
    duplicates=5,
    concealed=6,
    jitter_ms=7.25,
    buffer_ms=8.5,
    added_delay_ms=9.5,
    accelerated_ms=10.5,
    stretched_ms=11.5,
    far_end_loss=0.125,
    round_trip_ms=12.5,
)
"""Every figure is another one."""

KINDS: Final[tuple[type[Event], ...]] = get_args(Event)

ANNOUNCEMENT: Final = Announcement("ann-1", "https://example.org/a.wav", "POST", "a")

EVENTS: Final[tuple[Event, ...]] = (
    ParticipantJoined(
        at=1.25,
        call_id="a",
        conference_id="conf-1",
        name="Zoë's \u00fc/\U0001f600",
        project_id="key-1",
        settings=ConferenceSettings(
            2,
            50,
            "eu",
            "us",
            Callback("https://example.org/cb#rc=2", ("start", "end"), "form", "GET"),
            Callback("https://example.org/rec", ("completed",)),
            RecordingPlan("rec-1", "http://parley.test/rec-1", trim=False, tracks=True),
        ),
        label="anna",
        metadata={"nested": {"list": [1, 2.5, None, True]}, "odd": "\ud800"},
        tag="t",
        muted=True,
        coach="b",
        start_on_enter=False,
        end_on_exit=True,
        media_connected=True,
        beep_on_enter=False,
        beep_on_exit=False,
        wait_music=Music("https://example.org/w.mp3", "GET"),
    ),
    ParticipantConnected(at=2.0, call_id="a"),
    ConferenceStarted(at=3.0, call_id="a"),
    ParticipantMuted(at=4.0, call_id="a"),
    ParticipantUnmuted(at=5.0, call_id="a"),
    ParticipantHeld(at=6.0, call_id="a", hold_music=Music("")),
    ParticipantUnheld(at=7.0, call_id="a"),
    ParticipantModified(
        at=8.0,
        call_id="a",
        coaching=True,
        coach=None,
        end_on_exit=True,
        gain_db=-3.5,
        beep_on_exit=False,
        wait_music=Music("", "GET"),
        hold_music=Music("https://example.org/h.mp3", "POST"),
    ),
    ParticipantLost(at=9.0, call_id="a"),
    ParticipantSentDigit(at=10.0, call_id="a", digit="*", duration_ms=90),
    ParticipantSpeechStarted(at=10.25, call_id="a"),
    ParticipantSpeechStopped(at=10.5, call_id="a"),
    ParticipantLeft(at=11.0, call_id="a", reason=LeftReason.MEDIA_TIMEOUT, media=MEDIA),
    AnnouncementQueued(at=11.25, announcement=ANNOUNCEMENT),
    AnnouncementStarted(at=11.25, announcement=ANNOUNCEMENT),
    AnnouncementEnded(at=11.5, announcement=ANNOUNCEMENT),
    AnnouncementFailed(at=11.75, announcement=ANNOUNCEMENT, reason="fetch_failed"),
    RecordingStarted(at=11.8, plan=RecordingPlan("rec-1", "u", tracks=True), source=RecordingSource.API),
    RecordingPaused(at=11.81, recording_id="rec-1", behavior=PauseBehavior.SKIP),
    RecordingResumed(at=11.82, recording_id="rec-1"),
    RecordingStopping(at=11.83, recording_id="rec-1"),
    RecordingMeasured(at=11.84, recording_id="rec-1", result=RecordingResult(RecordingState.ABSENT)),
    RecordingStopped(
        at=11.9, recording_id="rec-1", result=RecordingResult(RecordingState.FAILED, 1.5, 9, True, 80, "disk_full")
    ),
    ConferenceEnded(at=12.0, reason=EndReason.LAST_KICKED, call_id_ending_conf="a"),
)
