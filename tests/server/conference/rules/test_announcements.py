"""Announcements: rules 5.1-4 to 5.1-9."""

import pytest

from server.conference.announcing import hearers
from server.conference.commands import AnnouncementPlayed, AnnouncementUnplayable, End, Leave, Update
from server.conference.refusals import Refusal
from tests.server.conference.rules.support import waiting
from tests.server.conference.scenario import started

QUEUED_AND_STARTED = ["(silent)", "(silent)"]


def test_5_1_4_an_announcement_is_for_all_or_for_one_who_is_present() -> None:
    scenario = started("a", "b")
    assert scenario.announce("x") == scenario.announce("y", "b") == QUEUED_AND_STARTED
    assert scenario.heard() == {"a": "b", "b": "a"}
    scenario.do(Leave("b"))
    for absent in ("b", "stranger"):
        with pytest.raises(Refusal) as refusal:
            scenario.announce("z", absent)
        assert refusal.value.code == "not_in_conference"
    assert [a.announcement_id for a in scenario.conference.announcements] == ["x"]


@pytest.mark.parametrize("unstarted", [False, True])
def test_5_1_5_who_hears_an_announcement(unstarted: bool) -> None:
    scenario = waiting("a", "m", "h") if unstarted else started("a", "m", "h")
    scenario.do(Update("m", muted=True))
    scenario.do(Update("h", hold=True))
    scenario.announce("all")
    scenario.announce("one", "h")
    for_all, for_one = scenario.conference.playing
    assert hearers(scenario.conference, for_all) == ("a", "m")
    assert hearers(scenario.conference, for_one) == ("h",)


def test_5_1_6_they_take_turns() -> None:
    scenario = started("a", "b")
    scenario.announce("all-1")
    assert scenario.announce("all-2") == ["(silent)"]
    scenario.announce("a-1", "a")
    scenario.announce("a-2", "a")
    scenario.announce("b-1", "b")
    assert scenario.begun() == ["all-1", "a-1", "b-1"]
    assert scenario.do(AnnouncementPlayed("a-1")) == ["announcement-end", "(silent)"]
    assert scenario.begun()[3:] == ["a-2"]
    assert scenario.do(AnnouncementPlayed("all-1")) == ["announcement-end", "(silent)"]
    assert scenario.begun()[4:] == ["all-2"]
    assert scenario.do(AnnouncementPlayed("all-2")) == ["announcement-end"]


def test_5_1_7_each_ends_or_fails_once() -> None:
    scenario = started("a", "b")
    for number in (1, 2, 3):
        scenario.announce(f"all-{number}")
    assert scenario.do(AnnouncementUnplayable("all-2", "not_audio")) == ["announcement-fail"]
    assert scenario.params()["reason_announcement_failed"] == "not_audio"
    assert scenario.params()["announce_url"] == "https://example.org/all-2"
    assert scenario.begun() == ["all-1"]
    assert scenario.do(AnnouncementUnplayable("all-1", "fetch_failed")) == ["announcement-fail", "(silent)"]
    assert scenario.begun() == ["all-1", "all-3"]
    assert scenario.do(AnnouncementPlayed("all-1")) == []
    assert scenario.do(AnnouncementUnplayable("all-1", "late")) == []
    assert scenario.do(AnnouncementPlayed("all-3")) == ["announcement-end"]
    assert "call_id" not in scenario.params()
    scenario.announce("one", "b")
    scenario.do(AnnouncementPlayed("one"))
    assert (scenario.params()["call_id"], scenario.params()["announcement_id"]) == ("b", "one")


def test_5_1_8_what_cannot_be_played_any_more_fails() -> None:
    scenario = started("a", "b")
    for announcement_id, call_id in (("all-1", None), ("a-1", "a"), ("a-2", "a"), ("all-2", None), ("b-1", "b")):
        scenario.announce(announcement_id, call_id)
    assert scenario.do(Leave("a")) == ["announcement-fail", "announcement-fail", "participant-leave"]
    failed = [entry.wire["params"] for entry in scenario.log[-3:-1]]
    assert [(p["announcement_id"], p["reason_announcement_failed"]) for p in failed] == [
        ("a-1", "participant_left"),
        ("a-2", "participant_left"),
    ]
    assert scenario.do(End()) == [
        "announcement-fail",
        "participant-leave",
        "announcement-fail",
        "announcement-fail",
        "conference-end",
    ]
    failed = [entry.wire["params"] for entry in scenario.log[-5:] if "announcement_id" in entry.wire["params"]]
    assert [(p["announcement_id"], p["reason_announcement_failed"]) for p in failed] == [
        ("b-1", "conference_ended"),
        ("all-1", "conference_ended"),
        ("all-2", "conference_ended"),
    ]
    assert scenario.do(AnnouncementPlayed("all-1")) == []


def test_5_1_9_not_more_than_100_at_a_time() -> None:
    scenario = started("a", "b")
    for number in range(100):
        scenario.announce(f"x-{number}", "a" if number % 2 else None)
    with pytest.raises(Refusal) as refusal:
        scenario.announce("one-too-many")
    assert refusal.value.code == "too_many_announcements"
    scenario.do(AnnouncementPlayed("x-0"))
    assert scenario.announce("fits") == ["(silent)"]
