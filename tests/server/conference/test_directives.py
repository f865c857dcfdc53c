import pytest

from server.conference.commands import End, Leave, MediaConnected, Update
from server.conference.directives import LegDirective, Program, legs
from tests.server.conference.scenario import Scenario, started


def test_everybody_hears_the_others() -> None:
    assert started("a", "b", "c").heard() == {"a": "bc", "b": "ac", "c": "ab"}


def test_before_the_start_nobody_hears_and_nobody_is_heard() -> None:
    scenario = Scenario()
    for call_id in "abc":
        scenario.join(call_id, start_on_enter=False)
    waiting = LegDirective(heard=False, hears=False, gain=1.0, program=Program("wait", None))
    assert set(legs(scenario.conference).values()) == {waiting}
    scenario.join("s")
    assert scenario.heard() == {"a": "bcs", "b": "acs", "c": "abs", "s": "abc"}


def test_muted_hears_but_is_not_heard_from_the_first_moment() -> None:
    scenario = started("a", "b")
    scenario.join("m", muted=True)
    assert scenario.heard() == {"a": "b", "b": "a", "m": "ab"}
    scenario.do(Update("m", muted=False))
    assert scenario.heard() == {"a": "bm", "b": "am", "m": "ab"}


def test_held_neither_hears_nor_is_heard() -> None:
    scenario = started("a", "b", "h")
    scenario.do(Update("h", hold=True))
    assert scenario.heard() == {"a": "b", "b": "a", "h": ""}
    scenario.do(Update("h", muted=True, hold=False))
    assert scenario.heard() == {"a": "b", "b": "a", "h": "ab"}


def test_a_coach_hears_all_and_is_heard_by_its_coachee_alone() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    assert scenario.heard() == {"a": "bc", "b": "a", "c": "ab"}
    assert scenario.leg("c").heard_by == frozenset({"a"})
    assert scenario.leg("a").heard_by is None


def test_two_coaches_of_one_call_do_not_hear_each_other() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.join("d", coach="a")
    assert scenario.heard() == {"a": "bcd", "b": "a", "c": "ab", "d": "ab"}


def test_a_coach_can_be_coached() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.join("d", coach="c")
    assert scenario.heard() == {"a": "bc", "b": "a", "c": "abd", "d": "ab"}


def test_a_muted_coach_is_a_monitor() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a", muted=True)
    assert scenario.heard() == {"a": "b", "b": "a", "c": "ab"}
    assert not scenario.leg("c").heard


def test_a_coach_on_hold_reaches_nobody() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Update("c", hold=True))
    assert scenario.heard() == {"a": "b", "b": "a", "c": ""}


def test_a_held_coachee_does_not_hear_its_coach() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Update("a", hold=True))
    assert scenario.heard() == {"a": "", "b": "", "c": "b"}


def test_a_coach_without_coachee_is_not_heard_at_all() -> None:
    scenario = started("a", "b")
    scenario.join("c", coach="a")
    scenario.do(Leave("a"))
    assert scenario.leg("c") == LegDirective(heard=False, hears=True, gain=1.0, heard_by=frozenset())


@pytest.mark.parametrize(("gain_db", "gain"), [(0.0, 1.0), (20.0, 10.0), (-40.0, 0.01), (6.0, 1.9953)])
def test_gain_is_linear_amplitude(gain_db: float, gain: float) -> None:
    scenario = started("a")
    scenario.do(Update("a", gain_db=gain_db))
    assert scenario.leg("a").gain == pytest.approx(gain, rel=1e-4)


def test_the_first_packet_changes_nothing_for_the_mixer() -> None:
    scenario = started("a", "b")
    before = legs(scenario.conference)
    scenario.do(MediaConnected("a"))
    assert legs(scenario.conference) == before


def test_who_left_has_no_leg() -> None:
    scenario = started("a", "b")
    scenario.do(Leave("a"))
    assert list(legs(scenario.conference)) == ["b"]
    scenario.do(End())
    assert legs(scenario.conference) == {}
