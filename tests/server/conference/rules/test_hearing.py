"""Who hears whom: rules 4.3."""

from typing import Any

import pytest

from server.conference.beeps import Beep
from server.conference.commands import Command, HangUp, Kick, Leave, Update
from server.conference.directives import Program
from server.conference.model import LeftReason
from tests.server.conference.rules.support import JOIN, MUSIC, refused, waiting
from tests.server.conference.scenario import Scenario, a_join, started


def test_4_3_1_active_participants_hear_each_other() -> None:
    assert started("a", "b", "c").heard() == {"a": "bc", "b": "ac", "c": "ab"}


def test_4_3_2_muted_hears_and_is_not_heard() -> None:
    scenario = started("a", "b")
    assert scenario.join("m", muted=True) == JOIN
    assert scenario.heard() == {"a": "b", "b": "a", "m": "ab"}
    assert scenario.do(Update("m", muted=False)) == ["participant-unmute"]
    assert scenario.heard() == {"a": "bm", "b": "am", "m": "ab"}


def test_4_3_3_held_hears_its_audio_and_is_not_heard() -> None:
    scenario = started("a", "b", "h")
    assert scenario.do(Update("h", hold=True)) == ["participant-hold"]
    assert scenario.heard() == {"a": "b", "b": "a", "h": ""}
    assert scenario.leg("h").program == Program("hold", None)
    assert scenario.leg("a").program is None


def test_4_3_4_waiting_hears_its_audio_and_is_not_heard() -> None:
    scenario = waiting("a", "b")
    assert scenario.heard() == {"a": "", "b": ""}
    assert scenario.leg("a").program == Program("wait", None)


def test_4_3_5_a_coach_hears_all_and_only_its_coachee_hears_it() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    assert scenario.heard() == {"a": "bc", "b": "a", "c": "ab"}


def test_4_3_6_a_muted_coach_is_a_monitor() -> None:
    scenario = started("a", "b", "c")
    assert scenario.do(Update("c", coach="a", muted=True)) == ["participant-mute", "participant-modify"]
    assert scenario.heard() == {"a": "b", "b": "a", "c": "ab"}


def test_4_3_7_the_coachee_must_be_there_now() -> None:
    for scenario in (Scenario(), waiting("a"), started("b")):
        assert refused(scenario, a_join("c", coach="a")) == "coach_not_found"
    gone = started("a", "b")
    gone.do(Leave("a"))
    assert refused(gone, a_join("c", coach="a")) == "coach_not_found"
    assert refused(gone, Update("b", coach="a")) == "coach_not_found"
    unstarted = waiting("a", "b")
    assert refused(unstarted, Update("b", coach="a")) == "coach_not_found"


def test_4_3_8_coaching_can_be_changed_at_any_time() -> None:
    scenario = started("a", "b", "c")
    assert refused(scenario, Update("c", coaching=True)) == "coach_required"
    assert scenario.do(Update("c", coach="a")) == ["participant-modify"]
    assert scenario.params()["coaching"] is True
    assert scenario.heard() == {"a": "bc", "b": "a", "c": "ab"}
    assert scenario.do(Update("c", coach="b")) == ["participant-modify"]
    assert scenario.params()["coach"] == "b"
    assert scenario.heard() == {"a": "b", "b": "ac", "c": "ab"}
    assert scenario.do(Update("c", coach="b")) == []
    assert scenario.do(Update("c", coaching=False)) == ["participant-modify"]
    assert scenario.heard() == {"a": "bc", "b": "ac", "c": "ab"}


@pytest.mark.parametrize("going", [Leave("a"), Kick("a"), HangUp("a"), HangUp("a", LeftReason.MEDIA_TIMEOUT)], ids=repr)
def test_4_3_9_a_coach_whose_coachee_is_gone_is_heard_by_nobody(going: Command) -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    assert scenario.do(going) == ["participant-leave", "participant-modify"]
    assert (scenario.params()["call_id"], scenario.params()["coaching"]) == ("c", True)
    assert "coach" not in scenario.params()
    assert scenario.heard() == {"b": "", "c": "b"}
    scenario.join("a")
    assert scenario.heard() == {"b": "a", "c": "ba", "a": "b"}
    scenario.do(Update("c", coach="b"))
    assert scenario.heard() == {"b": "ca", "c": "ba", "a": "b"}


def test_4_3_10_several_coaches_and_coaches_of_coaches() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.join("d", coach="a")
    scenario.join("e", coach="c")
    assert scenario.heard() == {"a": "bcd", "b": "a", "c": "abe", "d": "ab", "e": "ab"}


def test_4_3_11_a_coach_is_a_participant() -> None:
    scenario = started("a", max_participants=2)
    assert scenario.join("c", coach="a") == JOIN
    assert scenario.beeps == [Beep("enter", "c")]
    assert (scenario.params()["coaching"], scenario.params()["coach"]) == (True, "a")
    assert scenario.conference.size == 2
    assert refused(scenario, a_join("d")) == "conference_full"
    assert scenario.do(Leave("c")) == ["participant-leave"]
    assert scenario.params()["coaching"] is True
    assert scenario.beeps == [Beep("leave", "c")]


@pytest.mark.parametrize(
    ("before", "on_hold", "afterwards"),
    [
        ({}, {}, {"a": "bh", "b": "ah", "h": "ab"}),
        ({"muted": True}, {}, {"a": "b", "b": "a", "h": "ab"}),
        ({}, {"muted": True}, {"a": "b", "b": "a", "h": "ab"}),
        ({"muted": True}, {"muted": False}, {"a": "bh", "b": "ah", "h": "ab"}),
        ({"coach": "a"}, {}, {"a": "bh", "b": "a", "h": "ab"}),
        ({"coach": "a"}, {"coaching": False}, {"a": "bh", "b": "ah", "h": "ab"}),
        ({}, {"coach": "b"}, {"a": "b", "b": "ah", "h": "ab"}),
    ],
)
def test_4_3_12_hold_leaves_the_rest_as_it_was(
    before: dict[str, Any], on_hold: dict[str, Any], afterwards: dict[str, str]
) -> None:
    scenario = started("a", "b", "h")
    scenario.do(Update("h", **before))
    assert scenario.do(Update("h", hold=True)) == ["participant-hold"]
    scenario.do(Update("h", **on_hold))
    assert scenario.heard() == {"a": "b", "b": "a", "h": ""}
    assert scenario.do(Update("h", hold=False)) == ["participant-unhold"]
    assert scenario.heard() == afterwards


@pytest.mark.parametrize(
    ("updates", "url"),
    [
        ([{"hold": True}], None),
        ([{"hold": True, "hold_url": MUSIC}], MUSIC),
        ([{"hold": True, "hold_url": ""}], ""),
        ([{"hold_url": MUSIC}, {"hold": True}], MUSIC),
        ([{"hold": True, "hold_url": MUSIC}, {"hold": True}], MUSIC),
        ([{"hold": True, "hold_url": MUSIC}, {"hold_url": ""}], ""),
        ([{"hold": True, "hold_url": MUSIC}, {"hold_url": None}], None),
        ([{"hold": True, "hold_url": MUSIC}, {"hold": False}, {"hold": True}], None),
        ([{"hold": True, "hold_url": MUSIC}, {"hold": False, "hold_url": ""}, {"hold": True}], ""),
        ([{"hold": True, "hold_url": MUSIC}, {"hold": False, "hold_url": MUSIC}, {"hold": True}], MUSIC),
    ],
)
def test_4_3_13_each_hold_has_its_own_audio(updates: list[dict[str, Any]], url: str | None) -> None:
    scenario = started("a", "b")
    for fields in updates:
        scenario.do(Update("a", **fields))
    assert scenario.leg("a").program == Program("hold", url)
    scenario.do(Update("a", hold=False))
    assert scenario.leg("a").program is None


@pytest.mark.parametrize("state", ["waiting", "active", "held"])
@pytest.mark.parametrize(
    ("fields", "statuses"),
    [
        ({"muted": True}, ["participant-mute"]),
        ({"end_on_exit": True}, ["participant-modify"]),
        ({"beep_on_exit": False}, ["participant-modify"]),
        ({"wait_url": MUSIC}, ["participant-modify"]),
        ({"hold_url": MUSIC}, ["participant-modify"]),
        ({"gain_db": -6.0}, ["participant-modify"]),
        ({"end_on_exit": True, "beep_on_exit": False, "wait_url": "", "gain_db": 3.0}, ["participant-modify"]),
        ({"gain_db": 3.0, "muted": True}, ["participant-mute", "participant-modify"]),
    ],
)
def test_4_3_14_every_update_works_in_every_state(state: str, fields: dict[str, Any], statuses: list[str]) -> None:
    scenario = waiting("a", "b") if state == "waiting" else started("a", "b")
    scenario.do(Update("a", hold=state == "held"))
    assert scenario.do(Update("a", **fields)) == statuses
    assert scenario.do(Update("a", **fields)) == []
