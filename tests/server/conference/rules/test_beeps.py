"""Beeps: rules 4.5."""

from typing import Any

import pytest

from server.conference.beeps import Beep
from server.conference.commands import HangUp, Leave, Update
from server.conference.model import BeepMode, LeftReason
from tests.server.conference.rules.support import JOIN, JOIN_AND_START
from tests.server.conference.scenario import Scenario, a_join, started


@pytest.mark.parametrize(
    ("beep", "coming", "going"),
    [
        (BeepMode.BOTH, True, True),
        (BeepMode.ON_ENTER, True, False),
        (BeepMode.ON_EXIT, False, True),
        (BeepMode.NONE, False, False),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"muted": True}, {"coach": "a"}, {"start_on_enter": False}])
def test_4_5_1_the_beep_belongs_to_who_comes_and_goes(
    beep: BeepMode, coming: bool, going: bool, fields: dict[str, Any]
) -> None:
    scenario = started("a")
    scenario.join("b", beep=beep, **fields)
    assert scenario.beeps == ([Beep("enter", "b")] if coming else [])
    scenario.do(Update("b", gain_db=1.0))
    assert scenario.beeps == []
    scenario.do(Leave("b"))
    assert scenario.beeps == ([Beep("leave", "b")] if going else [])


def test_4_5_2_the_others_hear_it_unless_they_are_on_hold() -> None:
    alone = started("a")
    assert alone.beeps == []
    alone.do(Update("a", hold=True))
    assert alone.join("b") == JOIN
    assert alone.beeps == []
    alone.join("c")
    assert alone.beeps == [Beep("enter", "c")]
    alone.do(Leave("b"))
    assert alone.beeps == [Beep("leave", "b")]
    alone.do(Leave("c"))
    assert alone.beeps == []


@pytest.mark.parametrize("starters_beep", [BeepMode.BOTH, BeepMode.NONE])
def test_4_5_3_none_before_the_start_and_one_at_the_start(starters_beep: BeepMode) -> None:
    scenario = Scenario()
    for command in (a_join("a", start_on_enter=False), a_join("b", start_on_enter=False), Leave("b")):
        scenario.do(command)
        assert scenario.beeps == []
    assert scenario.join("s", beep=starters_beep) == JOIN_AND_START
    assert scenario.beeps == ([Beep("enter", "s")] if starters_beep is BeepMode.BOTH else [])


@pytest.mark.parametrize(("beep", "later"), [(BeepMode.NONE, True), (BeepMode.BOTH, False), (BeepMode.ON_ENTER, True)])
def test_4_5_4_the_leave_beep_can_be_changed(beep: BeepMode, later: bool) -> None:
    scenario = started("a")
    scenario.join("b", beep=beep)
    assert scenario.do(Update("b", beep_on_exit=later)) == ["participant-modify"]
    assert scenario.params()["beep_on_exit"] is later
    assert scenario.do(Update("b", beep_on_exit=later)) == []
    scenario.do(Leave("b"))
    assert scenario.beeps == ([Beep("leave", "b")] if later else [])


def test_4_5_5_none_at_the_end_and_none_for_who_never_got_in() -> None:
    scenario = started("a", "b")
    scenario.join("m", end_on_exit=True)
    scenario.do(Leave("m"))
    assert scenario.conference.status == "completed"
    assert scenario.beeps == []
    other = started("a", "b")
    other.do(HangUp("b", LeftReason.ADD_FAILED))
    assert other.beeps == []
