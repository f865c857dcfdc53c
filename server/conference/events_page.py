"""The page `docs/events.md`, made from the events themselves: every status, every field, an example of each.

`python -m server.conference.events_page > docs/events.md`; a test fails when the page is out of date, and this module
when a field has no description.
"""

import json
import sys
from dataclasses import fields
from typing import Any, Final, get_args

from server.conference.callbacks import STATUSES_OF
from server.conference.events import Event
from server.conference.media import CallMedia
from server.conference.sample import sample

ENVELOPE: Final = {
    "id": "Id of the event, the same wherever and however often it is told: in the history, the live stream and every "
    "attempt of a webhook.",
    "sequence": "1, 2, 3 … within the conference, without a gap, events that nobody asked for included.",
    "event_type": "Always `calling.conference`.",
    "event_channel": "`conference:` and the id of the conference.",
    "timestamp": "When it happened, in Unix seconds. Not when it was told.",
    "project_id": "The project that the conference belongs to.",
    "space_id": "Always `parley`.",
    "size": "Participants present after the event.",
    "params": "What happened, see below.",
}
GAP: Final = "`gap`, in webhooks only, is `true` if an earlier event was never delivered: read the history to catch up."
PARAMS: Final = {
    "conference_id": "Id of the conference.",
    "name": "Name of the conference.",
    "status": "What happened.",
    "size": "As above.",
    "sequence": "As above.",
    "timestamp": "As above.",
    "node_id": "The server that tells it.",
    "region": "Region of the conference, if it has one.",
    "call_id": "The participant the event is about.",
    "participant_call_id": "The participant the event is about, wherever the event is told; null if it is about none.",
    "label": "Label of the participant, if it has one.",
    "tag": "Tag of the call, if it has one.",
    "muted": "Whether the participant is muted, after the event.",
    "hold": "Whether it is on hold.",
    "coaching": "Whether it is heard by the one it coaches only.",
    "coach": "The call it coaches, if any.",
    "start_on_join": "Its `start_on_enter`.",
    "end_on_leave": "Its `end_on_exit`.",
    "gain_db": "How much louder the others hear it.",
    "beep_on_exit": "Whether its leaving is told by a beep.",
    "digit": "The key that was pressed: `0` to `9`, `*`, `#`, `A` to `D`.",
    "duration_ms": "For how long it was pressed.",
    "reason_left": "Why the participant left; the reasons are in conference-rules.md.",
    "media": "What its media did while it was there, see [below](#media).",
    "reason_ended": "Why the conference ended; the reasons are in conference-rules.md.",
    "call_id_ending_conf": "The call whose going ended it, if one did.",
    "label_ending_conf": "The label of that participant, if it had one.",
    "announcement_id": "Id of the announcement.",
    "announce_url": "What was to be played.",
    "reason_announcement_failed": "Why it was not played, or not to its end; see announcements.md.",
    "recording_id": "Id of the recording.",
    "recording_status": "`in-progress`, `paused`, `completed`, `absent` (there was nothing to hear) or `failed`.",
    "recording_source": "`Conference` (a join asked for it) or `StartConferenceRecordingAPI` (a request did).",
    "recording_start_time": "When it began, in Unix seconds.",
    "recording_channels": "Always 1.",
    "recording_url": "Where its audio is, without an extension: append `.wav`, `.flac`, `.ogg` or `.mp3`.",
    "recording_duration": "Seconds recorded so far, or in all.",
    "recording_file_size": "Bytes of the file at `recording_url`, once it is done.",
    "pause_behavior": "What becomes of the pause: `silence` or `skip`.",
    "recovered": "`true` if a crash cut the recording off and it was repaired.",
    "lost_ms": "Of a recovered one: how much at its end was not written.",
    "reason": "Of a failed or absent one: why, as a word for programs.",
}
MEDIA: Final = {
    "packets_in": "RTP packets that came.",
    "packets_out": "RTP packets sent to it.",
    "lost": "Packets that never came.",
    "late": "Packets that came when their turn was over.",
    "duplicates": "Packets that had come already.",
    "concealed": "Frames of 20 ms that were made up for what was missing.",
    "jitter_ms": "Jitter of its packets at the end.",
    "buffer_ms": "How long its packets waited for their turn at the end.",
    "added_delay_ms": "That, and the work on the mix.",
    "accelerated_ms": "How much was left out of its sound to wait less.",
    "stretched_ms": "How much was added to its sound to wait longer.",
    "far_end_loss": "Share (0 to 1) of the packets sent to it that it lost lately; `null` if it sent no RTCP reports.",
    "round_trip_ms": "To it and back, by its last RTCP report; `null` if that is not known.",
}
ABOUT_MEDIA: Final = """\
Of `participant-leave`. Figures of the stay, as `GET /v1/conferences/{id}/stats` showed them at its end. The event does
not wait for them longer than 0.3 s: it has no `media` if the mixer has died or does not answer in time, if the call
never had a connection to it, or if the server was killed meanwhile. It is in the history, the live stream and JSON
webhooks; the form of cXML and TwiML has no parameters for it, and a GET in the JSON form leaves it out.
"""
SELDOM: Final = frozenset({"tag", "coach", "recovered", "lost_ms", "reason"})
"""Fields that the sample history has no occasion for."""
TOKENS: Final = {status: token for token, statuses in STATUSES_OF.items() for status in statuses}

HEAD: Final = """\
# Events

This page is made from the events themselves; a test fails when it is out of date:

```
python -m server.conference.events_page > docs/events.md
```

Everything that happens in a conference is an event. It is on disk before anybody is told of it, and everybody is told
the same: `GET /v1/conferences/{id}/events` reads the history, `GET /v1/events` streams what happens as server-sent
events, `python -m server watch` prints it, and [webhooks](webhooks.md) deliver it.

Times are of the event, not of its telling. Sort by `sequence`, not by arrival.
"""


def page() -> str:
    """Return the page."""
    wires = sample()
    return "\n".join([HEAD, _fields(wires), _statuses(), _examples(wires)])


def _fields(wires: list[dict[str, Any]]) -> str:
    found = dict.fromkeys(name for wire in wires for name in wire["params"]) | dict.fromkeys(sorted(SELDOM))
    return "\n".join(
        [
            "## The envelope",
            "",
            *_table(ENVELOPE, list(wires[0]), None),
            "",
            GAP,
            "",
            "## `params`",
            "",
            *_table(PARAMS, [name for name in PARAMS if name in found], wires),
            "",
            "### `media`",
            "",
            ABOUT_MEDIA,
            *_table(MEDIA, [field.name for field in fields(CallMedia)], None),
            "",
        ]
    )


def _table(described: dict[str, str], names: list[str], wires: list[dict[str, Any]] | None) -> list[str]:
    if wires is None:
        return ["| Field | Meaning |", "|---|---|", *(f"| `{name}` | {described[name]} |" for name in names)]
    rows = [f"| `{name}` | {_where(name, wires)} | {described[name]} |" for name in names]
    return ["| Field | In | Meaning |", "|---|---|---|", *rows]


def _where(name: str, wires: list[dict[str, Any]]) -> str:
    statuses = {wire["params"]["status"] for wire in wires}
    having = {wire["params"]["status"] for wire in wires if name in wire["params"]}
    if having == statuses:
        return "all"
    if not having:
        return "where it applies"
    prefixes = ("participant-", "record-", "announcement-")
    for prefix in prefixes:
        of_prefix = {status for status in statuses if status.startswith(prefix)}
        if of_prefix <= having and len(having) > len(of_prefix):
            others = sorted(having - of_prefix)
            return ", ".join([f"`{prefix}*`", *(f"`{status}`" for status in others)])
        if of_prefix == having:
            return f"`{prefix}*`"
    return ", ".join(f"`{status}`" for status in sorted(having))


def _statuses() -> str:
    rows = []
    for kind in get_args(Event):
        if kind.status is not None:
            token = f"`{TOKENS[kind.status]}`" if kind.status in TOKENS else _other_token(kind.status)
            rows.append(f"| `{kind.status}` | {' '.join(kind.__doc__.split())} | {token} |")
    return "\n".join(
        [
            "## Every status",
            "",
            "The token is what `status_callback_event` takes to have webhooks sent of it. The live stream and the "
            "history have all.",
            "",
            "| `status` | What happened | Token |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _other_token(status: str) -> str:
    return "a recording callback's" if status.startswith("record-") else "none"


def _examples(wires: list[dict[str, Any]]) -> str:
    first: dict[str, dict[str, Any]] = {}
    for wire in wires:
        first.setdefault(wire["params"]["status"], wire)
    parts = ["## An example of each", ""]
    for kind in get_args(Event):
        if kind.status is not None:
            parts += [f"### {kind.status}", "", "```json", json.dumps(first[kind.status], indent=2), "```", ""]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
