from server.conference.commands import End, Leave, Speech, StartRecording, Update
from server.conference.recordings import RecordingPlan
from server.conference.views import conference_view, participant_view, summarize, summary_view
from tests.server.conference.scenario import Scenario, started


def test_a_participant_in_full() -> None:
    scenario = started("a")
    scenario.join("b", label="bob", metadata={"k": [1]}, coach="a", end_on_exit=True)
    scenario.do(Speech("b", speaking=True))
    assert participant_view(scenario.conference, scenario.participant("b")) == {
        "call_id": "b",
        "conference_id": "conf-1",
        "name": "team",
        "label": "bob",
        "muted": False,
        "hold": False,
        "coaching": True,
        "coach": "a",
        "start_on_enter": True,
        "end_on_exit": True,
        "state": "connecting",
        "joined_at": "1970-01-01T00:16:41.000Z",
        "left_at": None,
        "reason_left": None,
        "speaking": True,
        "metadata": {"k": [1]},
    }


def test_a_participant_who_left() -> None:
    scenario = started("a", "b", media_connected=True)
    scenario.do(Update("a", hold=True))
    scenario.do(Leave("a"))
    view = participant_view(scenario.conference, scenario.participant("a"))
    assert (view["state"], view["hold"], view["speaking"]) == ("left", True, False)
    assert (view["left_at"], view["reason_left"]) == ("1970-01-01T00:16:43.000Z", "participant_updated_via_api")


def test_a_conference_through_its_life() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False, default_region="eu")
    view = conference_view(scenario.conference)
    assert view == {
        "conference_id": "conf-1",
        "name": "team",
        "status": "init",
        "size": 1,
        "region": "eu",
        "created_at": "1970-01-01T00:16:40.000Z",
        "started_at": None,
        "ended_at": None,
        "reason_ended": None,
        "recording_ids": [],
        "last_sequence": 1,
    }
    scenario.join("b")
    view = conference_view(scenario.conference)
    assert (view["status"], view["started_at"]) == ("in-progress", "1970-01-01T00:16:41.000Z")
    scenario.do(StartRecording(RecordingPlan("rec-1", "http://parley.test/rec-1")))
    scenario.do(End())
    view = conference_view(scenario.conference)
    assert (view["status"], view["size"], view["last_sequence"]) == ("completed", 0, 7)
    assert (view["ended_at"], view["reason_ended"]) == ("1970-01-01T00:16:43.000Z", "conference-ended-via-api")
    assert view["recording_ids"] == ["rec-1"]


def test_a_summary_shows_the_same() -> None:
    conference = started("a").conference
    assert summary_view(summarize(conference)) == conference_view(conference)


def test_history_has_every_stay_and_shows_it_as_it_ended() -> None:
    scenario = started("a", "b", label=None)
    scenario.do(Update("b", muted=True))
    scenario.do(Leave("b"))
    scenario.join("b", label="again")
    scenario.do(Speech("b", speaking=True))
    scenario.do(End())
    views = [participant_view(scenario.conference, stay) for stay in scenario.conference.stays]
    assert [(v["call_id"], v["label"], v["muted"], v["reason_left"]) for v in views] == [
        ("a", None, False, "conference_ended_via_api"),
        ("b", None, True, "participant_updated_via_api"),
        ("b", "again", False, "conference_ended_via_api"),
    ]
    assert all((v["state"], v["speaking"]) == ("left", False) and v["left_at"] for v in views)


def test_history_keeps_the_order_of_joining_when_the_clock_is_set_back() -> None:
    scenario = started("a", "b")
    scenario.now = 500.0
    scenario.join("c")
    for call_id in "aab":
        scenario.do(Leave(call_id))
        scenario.join(call_id)
    assert [stay.call_id for stay in scenario.conference.stays] == ["a", "b", "c", "a", "a", "b"]
    assert [stay.number for stay in scenario.conference.stays] == [1, 2, 3, 4, 5, 6]
