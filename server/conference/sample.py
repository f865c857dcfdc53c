"""A sample history in which every event that users see happens once at least: what the pages of events show.

It is made by the rules themselves, so an example on a page is what a server really says.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from server.conference.commands import (
    Announce,
    AnnouncementPlayed,
    AnnouncementUnplayable,
    Command,
    Digit,
    Join,
    Leave,
    MeasureRecording,
    MediaLost,
    PauseRecording,
    ResumeRecording,
    Speech,
    StartRecording,
    Update,
)
from server.conference.decide import decide
from server.conference.log import enact
from server.conference.media import CallMedia
from server.conference.model import Conference
from server.conference.recordings import RecordingPlan, RecordingResult, RecordingState
from server.conference.wire import Origin

CONFERENCE_ID: Final = "0b8f6a52-3a0e-4d55-9d0f-5a7f3c1f0001"
ANNA: Final = "7c1de1b4-53b1-4c6e-8a57-2f5d8f2b0a01"
BEN: Final = "7c1de1b4-53b1-4c6e-8a57-2f5d8f2b0b02"
RECORDING_ID: Final = "5e0c8a9d-1c1b-4f3e-9a76-6d1f0e7d0c03"
URL: Final = f"https://parley.example.org/v1/recordings/{RECORDING_ID}/audio"
BEGAN_AT: Final = 1_795_380_000.25
ORIGIN: Final = Origin(node_id="parley-1", space_id="parley")

MEDIA: Final = CallMedia(
    packets_in=834,
    packets_out=850,
    lost=16,
    late=3,
    duplicates=0,
    concealed=19,
    jitter_ms=4.21,
    buffer_ms=31.5,
    added_delay_ms=33.1,
    accelerated_ms=12.5,
    stretched_ms=20.0,
    far_end_loss=0.0039,
    round_trip_ms=42.18,
)


def _join(call_id: str, label: str) -> Join:
    return Join(
        conference_id=CONFERENCE_ID, name="standup", project_id="acme", call_id=call_id, label=label, region="eu"
    )


def _announce(number: int) -> Announce:
    return Announce(f"3f3a4a6e-0000-4000-8000-00000000000{number}", "https://example.org/closing-soon.wav")


COMMANDS: Final[Sequence[Command]] = (
    _join(ANNA, "anna"),
    _join(BEN, "ben"),
    StartRecording(RecordingPlan(RECORDING_ID, URL)),
    Speech(ANNA, speaking=True),
    Digit(BEN, "5", 120),
    Update(ANNA, muted=True),
    Update(ANNA, muted=False),
    Update(BEN, hold=True),
    MediaLost(BEN),
    Update(BEN, hold=False),
    Update(BEN, gain_db=-3.0),
    PauseRecording(RECORDING_ID),
    ResumeRecording(RECORDING_ID),
    _announce(1),
    AnnouncementPlayed("3f3a4a6e-0000-4000-8000-000000000001"),
    _announce(2),
    AnnouncementUnplayable("3f3a4a6e-0000-4000-8000-000000000002", "fetch_failed"),
    Leave(BEN, {BEN: MEDIA}),
    MeasureRecording(RECORDING_ID, RecordingResult(RecordingState.COMPLETED, 18.0, 288_044)),
    Leave(ANNA),
)


def sample() -> list[dict[str, Any]]:
    """Return the EVENTs of the sample history, in order."""
    conference: Conference | None = None
    ids = _ids()
    wires: list[dict[str, Any]] = []
    for number, command in enumerate(COMMANDS):
        events = decide(conference, command, BEGAN_AT + number)
        conference, entries = enact(conference, events, lambda: next(ids), ORIGIN)
        wires += [entry.wire for entry in entries]
    return wires


def _ids() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"9a0b1c2d-0000-4000-8000-{number:012d}"
