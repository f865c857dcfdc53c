from typing import Any

import pytest

from server.conference.commands import End, Leave, Update
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario, started


def refused(scenario: Scenario, **fields: Any) -> str:
    before = scenario.current
    with pytest.raises(Refusal) as refusal:
        scenario.do(Update("a", **fields))
    assert scenario.current is before
    return refusal.value.code


@pytest.mark.parametrize(
    ("fields", "statuses"),
    [
        ({"muted": True}, ["participant-mute"]),
        ({"hold": True}, ["participant-hold"]),
        ({"end_on_exit": True}, ["participant-modify"]),
        ({"gain_db": -6.0}, ["participant-modify"]),
        ({"coach": "b"}, ["participant-modify"]),
        ({"coach": "b", "coaching": True, "gain_db": 3.0, "end_on_exit": True}, ["participant-modify"]),
        ({"coach": "b", "muted": True}, ["participant-mute", "participant-modify"]),
        (
            {"gain_db": 1.0, "hold": True, "muted": True},
            ["participant-mute", "participant-hold", "participant-modify"],
        ),
    ],
)
def test_an_update_happens_once(fields: dict[str, Any], statuses: list[str]) -> None:
    scenario = started("a", "b")
    assert scenario.do(Update("a", **fields)) == statuses
    for name, value in fields.items():
        assert getattr(scenario.participant("a"), name) == value
    assert scenario.do(Update("a", **fields)) == []


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"muted": False},
        {"hold": False},
        {"coaching": False},
        {"end_on_exit": False},
        {"gain_db": 0.0},
        {"muted": False, "hold": False, "coaching": False, "end_on_exit": False, "gain_db": -0.0},
    ],
)
def test_what_is_so_already_is_no_event(fields: dict[str, Any]) -> None:
    scenario = started("a")
    assert scenario.do(Update("a", **fields)) == []
    assert scenario.conference.sequence == 2


def test_mute_and_back() -> None:
    scenario = started("a", "b")
    scenario.do(Update("a", muted=True))
    assert scenario.do(Update("a", muted=False)) == ["participant-unmute"]
    assert not scenario.participant("a").muted


def test_unhold_restores_the_prior_mute() -> None:
    scenario = started("a", "b", muted=True)
    scenario.do(Update("a", hold=True))
    assert scenario.do(Update("a", hold=False)) == ["participant-unhold"]
    assert scenario.participant("a").muted


def test_updates_hold_on_hold() -> None:
    scenario = started("a", "b", end_on_exit=True)
    scenario.do(Update("a", hold=True))
    assert scenario.do(Update("a", end_on_exit=False)) == ["participant-modify"]
    assert scenario.do(Update("a", muted=True)) == ["participant-mute"]
    # The complaint this rule is for: a held caller hangs up and takes the conference along.
    assert scenario.do(Leave("a")) == ["participant-leave"]


def test_updates_hold_while_waiting() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    assert scenario.do(Update("a", muted=True, gain_db=2.0)) == ["participant-mute", "participant-modify"]


@pytest.mark.parametrize("gain_db", [-40.1, 40.1, float("inf"), float("-inf"), float("nan")])
def test_gain_out_of_bounds(gain_db: float) -> None:
    assert refused(started("a"), gain_db=gain_db, muted=True) == "invalid_request"


@pytest.mark.parametrize("gain_db", [-40.0, 40.0])
def test_gain_at_its_bounds(gain_db: float) -> None:
    scenario = started("a")
    scenario.do(Update("a", gain_db=gain_db))
    assert scenario.participant("a").gain_db == gain_db


def test_naming_a_coachee_is_coaching_and_false_ends_it() -> None:
    scenario = started("a", "b", "c")
    scenario.do(Update("a", coach="b"))
    assert scenario.participant("a").coaching
    assert scenario.do(Update("a", coach="c")) == ["participant-modify"]
    assert scenario.participant("a").coach == "c"
    assert scenario.do(Update("a", coaching=True)) == []
    scenario.do(Update("a", coaching=False))
    assert (scenario.participant("a").coaching, scenario.participant("a").coach) == (False, None)


def test_a_coach_without_coachee_can_be_given_another_or_become_a_speaker() -> None:
    scenario = started("b", "c", "d")
    scenario.join("a", coach="b")
    scenario.do(Leave("b"))
    assert scenario.do(Update("a", coaching=True)) == []
    scenario.do(Update("a", coach="c"))
    assert scenario.heard()["c"] == "da"
    scenario.do(Leave("c"))
    scenario.do(Update("a", coaching=False))
    assert scenario.heard() == {"d": "a", "a": "d"}


def test_coaching_refusals() -> None:
    scenario = started("a", "b")
    assert refused(scenario, coaching=True) == "coach_required"
    assert refused(scenario, coach="b", coaching=False) == "invalid_request"
    assert refused(scenario, coach="a") == "invalid_request"
    assert refused(scenario, coach="nobody") == "coach_not_found"
    scenario.do(Leave("b"))
    assert refused(scenario, coach="b") == "coach_not_found"


def test_nobody_can_be_coached_before_the_start() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False)
    scenario.join("b", start_on_enter=False)
    assert refused(scenario, coach="b") == "coach_not_found"


def test_a_refused_part_refuses_the_whole_update() -> None:
    scenario = started("a", "b")
    assert refused(scenario, muted=True, hold=True, coach="nobody") == "coach_not_found"
    assert not scenario.participant("a").muted


def test_who_left_cannot_be_updated() -> None:
    scenario = started("a", "b")
    scenario.do(Leave("a"))
    assert refused(scenario, muted=True) == "not_in_conference"
    scenario.do(End())
    assert refused(scenario, muted=True) == "conference_ended"
