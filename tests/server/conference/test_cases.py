"""Stories of whole conferences, each with all the events it leaves in the log, in order.

They follow the checklist by which conference servers are compared: what is decided here is the order of events, the
reasons and the refusals; what is heard is proved by sound elsewhere.
"""

from typing import Any

import pytest

from server.conference.beeps import Beep
from server.conference.commands import Command, End, Kick, Leave, Update
from server.conference.directives import Program, legs
from server.conference.refusals import Refusal
from server.conference.views import conference_view
from tests.server.conference.scenario import Scenario, a_join, started

MUSIC = "https://example.org/music.mp3"


def params(scenario: Scenario) -> list[dict[str, Any]]:
    return [entry.wire["params"] for entry in scenario.log]


def test_1_a_starter_alone_waits_where_two_are_needed() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=2)
    assert scenario.logged() == [("participant-join", "a")]
    view = conference_view(scenario.conference)
    assert (view["status"], view["started_at"], view["recording_ids"]) == ("init", None, [])
    assert scenario.leg("a").program == Program("wait", None)
    assert scenario.beeps == []


def test_1_a_starter_alone_is_in_a_conference_where_one_is_enough() -> None:
    scenario = started("a")
    assert scenario.logged() == [("participant-join", "a"), ("conference-start", "a")]
    assert scenario.leg("a").program is None


def test_2_two_wait_for_a_starter_and_hear_it_come() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    scenario.join("b", start_on_enter=False)
    assert scenario.conference.status == "init"
    assert scenario.heard() == {"a": "", "b": ""}
    scenario.join("c")
    assert scenario.logged() == [
        ("participant-join", "a"),
        ("participant-join", "b"),
        ("participant-join", "c"),
        ("conference-start", "c"),
    ]
    assert [leg.program for leg in legs(scenario.conference).values()] == [None, None, None]
    assert scenario.beeps == [Beep("enter", except_call_id="c")]
    assert scenario.heard() == {"a": "bc", "b": "ac", "c": "ab"}


def test_3_a_muted_joiner_is_unmuted() -> None:
    scenario = started("a")
    scenario.join("m", muted=True)
    assert scenario.heard() == {"a": "", "m": "a"}
    scenario.do(Update("m", muted=False))
    assert scenario.heard() == {"a": "m", "m": "a"}
    assert [(p["status"], p["muted"]) for p in params(scenario)[2:]] == [
        ("participant-join", True),
        ("participant-unmute", False),
    ]


@pytest.mark.parametrize("muted", [False, True])
def test_4_hold_and_back_to_the_prior_mute(muted: bool) -> None:
    scenario = started("a", "b")
    scenario.join("h", muted=muted)
    before = scenario.heard()
    scenario.do(Update("h", hold=True, hold_url=MUSIC))
    assert scenario.heard() == {"a": "b", "b": "a", "h": ""}
    assert scenario.leg("h").program == Program("hold", MUSIC)
    scenario.do(Update("h", hold=False))
    assert scenario.heard() == before
    assert [(p["status"], p["hold"], p["muted"]) for p in params(scenario)[-2:]] == [
        ("participant-hold", True, muted),
        ("participant-unhold", False, muted),
    ]


def test_5_a_coach_whose_target_leaves_reaches_nobody() -> None:
    scenario = started("agent", "customer")
    scenario.join("coach", coach="agent")
    assert scenario.hears("agent", "coach")
    assert not scenario.hears("customer", "coach")
    scenario.do(Leave("agent"))
    assert scenario.logged()[-2:] == [("participant-leave", "agent"), ("participant-modify", "coach")]
    assert scenario.params()["coaching"] is True
    assert not scenario.hears("customer", "coach")
    assert scenario.hears("coach", "customer")


def test_6_a_bad_coach_id_is_refused_without_a_join() -> None:
    scenario = started("a")
    with pytest.raises(Refusal) as refusal:
        scenario.join("c", coach="stranger")
    assert refusal.value.code == "coach_not_found"
    assert scenario.logged() == [("participant-join", "a"), ("conference-start", "a")]
    assert scenario.conference.size == 1


def test_7_a_third_of_two_is_refused() -> None:
    scenario = started("a", "b", max_participants=2)
    with pytest.raises(Refusal) as refusal:
        scenario.join("c")
    assert refusal.value.code == "conference_full"
    assert "2 participants" in refusal.value.detail
    assert scenario.logged()[-1] == ("participant-join", "b")


def test_8_an_end_on_exit_leaver_ends_all_in_order() -> None:
    scenario = started("a")
    scenario.join("m", end_on_exit=True)
    scenario.join("b", muted=True)
    scenario.do(Leave("m"))
    assert [(p["status"], p["call_id"], p["size"]) for p in params(scenario)[-4:]] == [
        ("participant-leave", "m", 2),
        ("participant-leave", "a", 1),
        ("participant-leave", "b", 0),
        ("conference-end", "m", 0),
    ]
    end = scenario.params()
    assert end["reason_ended"] == "participant-with-end-conference-on-exit-left"
    assert end["call_id_ending_conf"] == "m"


@pytest.mark.parametrize(
    ("command", "reason"), [(Leave("b"), "last-participant-left"), (Kick("b"), "last-participant-kicked")]
)
def test_9_the_last_participant_leaves_or_is_kicked(command: Command, reason: str) -> None:
    scenario = started("a", "b")
    scenario.do(Leave("a"))
    scenario.do(command)
    assert scenario.logged()[-2:] == [("participant-leave", "b"), ("conference-end", "b")]
    assert scenario.params()["reason_ended"] == reason


def test_10_what_a_recording_would_have_lies_between_start_and_end() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=2)
    scenario.join("b")
    scenario.do(End())
    view = conference_view(scenario.conference)
    times = {p["status"]: p["timestamp"] for p in params(scenario)}
    assert (times["conference-start"], times["conference-end"]) == (1001.0, 1002.0)
    assert (view["started_at"], view["ended_at"]) == ("1970-01-01T00:16:41.000Z", "1970-01-01T00:16:42.000Z")


@pytest.mark.parametrize("url", [None, "", MUSIC])
def test_11_a_wait_url_is_heard_until_the_start_and_kept_for_all_to_see(url: str | None) -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False, wait_url=url)
    assert scenario.leg("a").program == Program("wait", url)
    scenario.join("s")
    assert scenario.leg("a").program is None


def test_12_a_join_is_decided_at_once_whatever_its_wait_url_does() -> None:
    # Nothing is fetched to decide it: the rules see the URL as a word.
    scenario = Scenario()
    assert scenario.join("a", start_on_enter=False, wait_url="https://192.0.2.1/hangs") == ["participant-join"]


def test_13_every_event_names_its_conference_its_number_and_its_moment() -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", muted=True))
    scenario.do(End())
    for number, entry in enumerate(scenario.log, 1):
        wire = entry.wire
        assert (wire["sequence"], wire["params"]["sequence"]) == (number, number)
        assert wire["timestamp"] == wire["params"]["timestamp"] >= 1000.0
        assert (wire["params"]["conference_id"], wire["params"]["name"]) == ("conf-1", "team")
    assert len({entry.event_id for entry in scenario.log}) == len(scenario.log)


def test_14_a_name_used_again_after_the_end_is_a_new_conference() -> None:
    first = started("a")
    first.do(Leave("a"))
    with pytest.raises(Refusal) as refusal:
        first.join("a")
    assert refusal.value.code == "conference_ended"
    second = Scenario("later")
    second.do(a_join("a", conference_id="conf-2"))
    assert second.conference.conference_id != first.conference.conference_id
    assert second.conference.name == first.conference.name
    assert [entry.sequence for entry in second.log] == [1, 2]
