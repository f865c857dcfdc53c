"""What holds of all that ever happened in a conference, and of its log."""

from collections.abc import Sequence

from server.conference.events import (
    AnnouncementEnded,
    AnnouncementFailed,
    AnnouncementQueued,
    AnnouncementStarted,
    Event,
)
from server.conference.evolve import evolve
from server.conference.log import LoggedEvent
from server.conference.model import Announcement, Conference, ConferenceState, Participant
from server.conference.recordings import Recording

AT_THE_END = {"participant-leave", "participant-speech-stop", "announcement-fail"}


def check(conference: Conference, log: Sequence[LoggedEvent], happened: Sequence[Event]) -> None:
    """Assert all invariants of a log; `happened` are all events, those that are not logged included."""
    sequence_is_gapless(conference, log)
    what_has_a_status_is_logged(log, happened)
    log_rebuilds_it(conference, log)
    every_stay_is_kept(conference, log)
    starts_once_by_a_join(conference, log)
    end_is_in_order(conference, log)
    speech_starts_and_stops_in_turn(conference, log)
    announcements_take_turns(conference, happened)
    recordings_start_and_stop_in_turn(conference, log)


def sequence_is_gapless(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    assert conference.sequence == len(log)
    for entry in log:
        params = entry.wire["params"]
        assert entry.wire["sequence"] == params["sequence"] == entry.sequence
        assert entry.wire["size"] == params["size"] >= 0
        assert params["status"] == entry.event.status


def what_has_a_status_is_logged(log: Sequence[LoggedEvent], happened: Sequence[Event]) -> None:
    assert [entry.event for entry in log] == [event for event in happened if event.status is not None]


def log_rebuilds_it(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    rebuilt: Conference | None = None
    for entry in log:
        rebuilt = evolve(rebuilt, entry.event)
    assert rebuilt is not None
    assert (rebuilt.state, rebuilt.size, rebuilt.sequence) == (
        conference.state,
        conference.size,
        conference.sequence,
    )
    assert [_lasting(p) for p in rebuilt.stays] == [_lasting(p) for p in conference.stays]
    assert [_told(r) for r in rebuilt.recordings] == [_told(r) for r in conference.recordings]
    for told, recording in zip(rebuilt.recordings, conference.recordings, strict=True):
        # When a pause was cut short by the request to stop is not logged: the length that is told comes from the file.
        assert told.skipped_s == recording.skipped_s or not recording.state.running


def _told(recording: Recording) -> tuple[object, ...]:
    # That one is being finished is not logged, nor what came of it before it is told.
    result = recording.result if recording.state.final else None
    return recording.plan, recording.source, recording.started_at, recording.state.final, result


def _lasting(stay: Participant) -> tuple[object, ...]:
    # Who has connected is not logged, so that alone may differ.
    return (
        stay.call_id,
        stay.number,
        stay.muted,
        stay.hold,
        stay.coach,
        stay.speaking,
        stay.beep_on_exit,
        stay.wait_music,
        stay.hold_music,
        stay.left_at,
        stay.reason_left,
    )


def every_stay_is_kept(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    joins = [entry.wire["params"] for entry in log if entry.event.status == "participant-join"]
    assert [(stay.call_id, stay.joined_at) for stay in conference.stays] == [
        (params["call_id"], params["timestamp"]) for params in joins
    ]
    assert [stay.number for stay in conference.stays] == list(range(1, len(joins) + 1))
    here = [params["call_id"] for params in joins if conference.find_present(params["call_id"])]
    last_joins = [call_id for number, call_id in enumerate(here) if call_id not in here[number + 1 :]]
    assert [p.call_id for p in conference.present] == last_joins


def starts_once_by_a_join(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    about = [(entry.wire["params"]["status"], entry.wire["params"].get("call_id")) for entry in log]
    starts = [number for number, (status, _) in enumerate(about) if status == "conference-start"]
    assert len(starts) == (conference.started_at is not None)
    for number in starts:
        assert about[number - 1] == ("participant-join", about[number][1])


def end_is_in_order(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    statuses = [entry.wire["params"]["status"] for entry in log]
    ended = conference.state is ConferenceState.ENDED
    assert statuses.count("conference-end") == ended
    if not ended:
        return
    # What came of recordings may still be told.
    last_of_all = statuses.index("conference-end")
    assert set(statuses[last_of_all + 1 :]) <= {"record-stop"}
    log = log[: last_of_all + 1]
    end = log[-1].wire
    assert end["size"] == 0
    # All that happened at the last moment is the end of something, and whoever caused it goes first.
    last = [entry.wire for entry in log[:-1] if entry.wire["timestamp"] == end["timestamp"]]
    assert {wire["params"]["status"] for wire in last} <= AT_THE_END
    leaves = [wire for wire in last if wire["params"]["status"] == "participant-leave"]
    assert [wire["size"] for wire in leaves] == list(range(len(leaves) - 1, -1, -1))
    causer = end["params"].get("call_id_ending_conf")
    if causer is not None:
        assert leaves[0]["params"]["call_id"] == causer
        assert {wire["params"]["call_id"] for wire in last[: last.index(leaves[0])]} <= {causer}


def speech_starts_and_stops_in_turn(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    speaking: set[str] = set()
    for entry in log:
        params = entry.wire["params"]
        call_id = params.get("call_id")
        match params["status"]:
            case "participant-speech-start":
                assert call_id not in speaking
                assert not params["muted"]
                assert not params["hold"]
                speaking.add(call_id)
            case "participant-speech-stop":
                speaking.remove(call_id)
            case "participant-mute" | "participant-hold" | "participant-leave":
                assert call_id not in speaking
            case "conference-end":
                assert not speaking
    assert speaking == {p.call_id for p in conference.present if p.speaking}


def announcements_take_turns(conference: Conference, happened: Sequence[Event]) -> None:
    waiting: dict[str | None, list[Announcement]] = {}
    playing: dict[str | None, Announcement] = {}
    seen: set[str] = set()
    for event in happened:
        match event:
            case AnnouncementQueued(announcement=announcement):
                assert announcement.announcement_id not in seen
                seen.add(announcement.announcement_id)
                waiting.setdefault(announcement.call_id, []).append(announcement)
            case AnnouncementStarted(announcement=announcement):
                assert announcement.call_id not in playing
                assert waiting[announcement.call_id].pop(0) == announcement
                playing[announcement.call_id] = announcement
            case AnnouncementEnded(announcement=announcement) | AnnouncementFailed(announcement=announcement):
                # Over once, and only what was asked for: a second end finds it nowhere.
                if playing.get(announcement.call_id) == announcement:
                    del playing[announcement.call_id]
                else:
                    waiting[announcement.call_id].remove(announcement)
    assert set(conference.playing) == set(playing.values())
    assert set(conference.announcements) == {*playing.values(), *(a for rest in waiting.values() for a in rest)}
    # Nobody waits for nothing.
    assert all(target in playing for target, rest in waiting.items() if rest)


def recordings_start_and_stop_in_turn(conference: Conference, log: Sequence[LoggedEvent]) -> None:
    running: dict[str, str] = {}
    over: set[str] = set()
    started = False
    for entry in log:
        params = entry.wire["params"]
        recording_id, status = params.get("recording_id", ""), params["status"]
        started = started or status == "conference-start"
        match status:
            case "record-start":
                assert started
                assert recording_id not in running.keys() | over
                running[recording_id] = "in-progress"
            case "record-pause":
                assert running[recording_id] == "in-progress"
                running[recording_id] = "paused"
            case "record-resume":
                assert running[recording_id] == "paused"
                running[recording_id] = "in-progress"
            case "record-stop":
                assert recording_id not in over
                # One that never was is told of once, too, if somebody had asked for it.
                assert running.pop(recording_id, None) is not None or params["recording_status"] == "absent"
                over.add(recording_id)
    assert {r.recording_id for r in conference.recordings if not r.state.final} == running.keys()
