import pytest

from server.conference.announcing import hearers
from server.conference.commands import Announce, AnnouncementPlayed, AnnouncementUnplayable, End, Leave, Update
from server.conference.decide import decide
from server.conference.events import AnnouncementQueued, AnnouncementStarted
from server.conference.model import Announcement
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario, started


def test_queueing_and_starting_are_silent_and_say_all_that_is_to_be_played() -> None:
    scenario = started("a", "b")
    announcement = Announcement("x", "https://example.org/x", "POST", "a")
    events = scenario.events(Announce("x", "https://example.org/x", "a", "POST"))
    assert [type(event) for event in events] == [AnnouncementQueued, AnnouncementStarted]
    assert all(event.announcement == announcement for event in events)  # type: ignore[union-attr]
    assert scenario.conference.announcements == (announcement,)
    assert scenario.conference.sequence == len(scenario.log) == 3


def test_playing_is_the_first_of_each_target() -> None:
    scenario = started("a", "b")
    for announcement_id, call_id in (("1", None), ("2", "a"), ("3", None), ("4", "a"), ("5", "b")):
        scenario.announce(announcement_id, call_id)
    assert [a.announcement_id for a in scenario.conference.playing] == ["1", "2", "5"]


def test_an_end_in_full() -> None:
    scenario = started("a", "b")
    scenario.announce("x")
    scenario.do(AnnouncementPlayed("x"))
    wire = scenario.log[-1].wire
    assert (wire["sequence"], wire["size"]) == (4, 2)
    assert wire["params"] == {
        "conference_id": "conf-1",
        "name": "team",
        "status": "announcement-end",
        "size": 2,
        "sequence": 4,
        "timestamp": 1003.0,
        "node_id": "node-1",
        "participant_call_id": None,
        "announcement_id": "x",
        "announce_url": "https://example.org/x",
    }


def test_a_failure_for_a_participant_in_full() -> None:
    scenario = started("a")
    scenario.join("b", label="bob", muted=True)
    scenario.announce("x", "b")
    scenario.do(AnnouncementUnplayable("x", "too_long"))
    params = scenario.params()
    assert (params["status"], params["reason_announcement_failed"]) == ("announcement-fail", "too_long")
    assert (params["announcement_id"], params["announce_url"]) == ("x", "https://example.org/x")
    assert (params["call_id"], params["participant_call_id"], params["label"]) == ("b", "b", "bob")
    assert (params["muted"], params["hold"], params["coaching"]) == (True, False, False)


def test_a_participants_announcements_do_not_move_those_of_others() -> None:
    scenario = started("a", "b")
    scenario.announce("all")
    scenario.announce("a-1", "a")
    scenario.do(Leave("a"))
    assert [a.announcement_id for a in scenario.conference.announcements] == ["all"]
    assert scenario.begun() == ["all", "a-1"]


def test_a_reason_with_a_call_that_comes_back_is_not_about_its_earlier_stay() -> None:
    scenario = started("a", "b")
    scenario.announce("old", "a")
    scenario.do(Leave("a"))
    scenario.join("a")
    scenario.announce("new", "a")
    assert scenario.begun() == ["old", "new"]
    assert scenario.do(AnnouncementPlayed("old")) == []


def test_an_announcement_for_all_is_also_for_who_joins_while_it_plays() -> None:
    scenario = started("a")
    scenario.announce("all")
    scenario.join("b")
    (playing,) = scenario.conference.playing
    assert hearers(scenario.conference, playing) == ("a", "b")


def test_nobody_hears_one_when_all_are_held_or_gone() -> None:
    scenario = started("a")
    scenario.announce("all")
    (playing,) = scenario.conference.playing
    scenario.do(Update("a", hold=True))
    assert hearers(scenario.conference, playing) == ()
    assert hearers(scenario.conference, Announcement("x", "u", None, "stranger")) == ()


def test_an_empty_url_is_refused() -> None:
    scenario = started("a")
    before = scenario.current
    with pytest.raises(Refusal) as refusal:
        scenario.do(Announce("x", ""))
    assert refusal.value.code == "invalid_request"
    assert scenario.current is before


def test_nothing_is_announced_where_nothing_is() -> None:
    with pytest.raises(Refusal) as refusal:
        decide(None, Announce("x", "https://example.org/x"), 1.0)
    assert refusal.value.code == "not_found"
    scenario = started("a")
    scenario.do(End())
    with pytest.raises(Refusal) as refusal:
        scenario.announce("x")
    assert refusal.value.code == "conference_ended"


def test_a_conference_from_its_log_has_none_to_play_and_knows_those_that_are_over() -> None:
    scenario = Scenario()
    scenario.join("a")
    scenario.announce("1", "a")
    scenario.do(AnnouncementPlayed("1"))
    scenario.announce("2")
    statuses = [entry.event.status for entry in scenario.log]
    assert statuses == ["participant-join", "conference-start", "announcement-end"]
    assert [a.announcement_id for a in scenario.conference.announcements] == ["2"]
