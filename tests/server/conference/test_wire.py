import pytest

from server.conference.commands import Digit, End, Leave, Update
from server.conference.events import ParticipantConnected
from server.conference.wire import event_json
from tests.server.conference.scenario import ORIGIN, Scenario, started

FLAGS = {"muted", "hold", "coaching", "start_on_join", "end_on_leave"}


def test_a_participant_event_in_full() -> None:
    scenario = Scenario()
    scenario.join("a", label="anna", tag="t", muted=True, end_on_exit=True, region="eu", start_on_enter=False)
    (entry,) = scenario.log
    assert entry.wire == {
        "id": entry.event_id,
        "sequence": 1,
        "event_type": "calling.conference",
        "event_channel": "conference:conf-1",
        "timestamp": 1000.0,
        "project_id": "key-1",
        "space_id": "space-1",
        "size": 1,
        "params": {
            "conference_id": "conf-1",
            "name": "team",
            "status": "participant-join",
            "size": 1,
            "sequence": 1,
            "timestamp": 1000.0,
            "node_id": "node-1",
            "region": "eu",
            "tag": "t",
            "call_id": "a",
            "participant_call_id": "a",
            "label": "anna",
            "muted": True,
            "hold": False,
            "coaching": False,
            "start_on_join": False,
            "end_on_leave": True,
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    params = started("a").log[0].wire["params"]
    assert not {"region", "tag", "label", "coach", "reason_left", "digit", "reason_ended"} & params.keys()


def test_every_participant_event_carries_the_flags_as_they_are_after_it() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    for command in (
        Update("c", muted=True, hold=True, end_on_exit=True),
        Digit("c", "5", 100),
        Update("c", muted=False, hold=False, coaching=False, gain_db=-6.0),
        Leave("c"),
    ):
        scenario.do(command)
    participant_events = [
        entry.wire["params"] for entry in scenario.log if entry.wire["params"]["status"].startswith("participant-")
    ]
    assert all(params.keys() >= FLAGS for params in participant_events)
    about_c = [params for params in participant_events if params["call_id"] == "c"]
    seen = [(p["status"], p["muted"], p["hold"], p["coaching"], p["end_on_leave"]) for p in about_c]
    assert seen == [
        ("participant-join", False, False, True, False),
        ("participant-mute", True, False, True, False),
        ("participant-hold", True, True, True, False),
        ("participant-modify", True, True, True, True),
        ("participant-dtmf", True, True, True, True),
        ("participant-unmute", False, True, True, True),
        ("participant-unhold", False, False, True, True),
        ("participant-modify", False, False, False, True),
        ("participant-leave", False, False, False, True),
    ]
    assert about_c[0]["coach"] == "a"
    assert about_c[4]["digit"] == "5"
    assert about_c[7]["gain_db"] == -6.0
    assert about_c[8]["reason_left"] == "participant_updated_via_api"


def test_the_start_names_the_call_whose_join_caused_it() -> None:
    start = started("a").log[1].wire["params"]
    assert (start["status"], start["call_id"], start["participant_call_id"]) == ("conference-start", "a", "a")
    assert not FLAGS & start.keys()


def test_the_end_names_the_call_that_caused_it() -> None:
    scenario = started("a")
    scenario.do(Leave("a"))
    end = scenario.log[-1].wire["params"]
    assert (end["status"], end["reason_ended"]) == ("conference-end", "last-participant-left")
    assert end["call_id"] == end["participant_call_id"] == end["call_id_ending_conf"] == "a"


def test_an_end_from_outside_names_nobody() -> None:
    scenario = started("a")
    scenario.do(End())
    end = scenario.log[-1].wire["params"]
    assert end["participant_call_id"] is None
    assert not {"call_id", "call_id_ending_conf"} & end.keys()


def test_a_silent_event_has_no_wire_form() -> None:
    with pytest.raises(ValueError, match="not an event for users"):
        event_json(started("a").conference, ParticipantConnected(at=1.0, call_id="a"), "id", ORIGIN)
