"""Joining, waiting, starting, and the places there are: rules 4.1, 4.2, 4.6, 4.9."""

from typing import Any

import pytest

from server.conference.commands import Command, End, HangUp, Kick, Leave, MediaConnected, Update
from server.conference.directives import Program, legs
from server.conference.model import Music
from tests.server.conference.rules.support import JOIN, JOIN_AND_START, MUSIC, refused, waiting
from tests.server.conference.scenario import Scenario, a_join, started


def test_4_1_1_what_a_join_is_that_says_nothing() -> None:
    scenario = started("a")
    a = scenario.participant("a")
    assert (a.muted, a.hold, a.coaching, a.start_on_enter, a.end_on_exit) == (False, False, False, True, False)
    assert (a.beep_on_enter, a.beep_on_exit, a.wait_music, a.gain_db) == (True, True, Music(), 0.0)
    assert scenario.conference.max_participants == 100_000
    assert scenario.conference.settings.min_participants_to_start == 1


@pytest.mark.parametrize("fields", [{"start_on_enter": False}, {"min_participants_to_start": 2}])
def test_4_2_1_the_first_join_makes_a_conference_that_waits(fields: dict[str, Any]) -> None:
    scenario = Scenario()
    assert scenario.join("a", **fields) == JOIN
    assert (scenario.conference.status, scenario.conference.started_at) == ("init", None)
    assert scenario.leg("a").program == Program("wait", None)


@pytest.mark.parametrize(
    ("enough", "starters", "starts_with"),
    [
        (1, [True], 1),
        (1, [False, True], 2),
        (1, [False, False, False], None),
        (2, [True], None),
        (2, [True, True], 2),
        (2, [True, False], 2),
        (2, [False, False, True], 3),
        (3, [True, False, False], 3),
        (3, [False, False, False], None),
    ],
)
def test_4_2_2_it_starts_when_enough_are_present_and_one_of_them_is_a_starter(
    enough: int, starters: list[bool], starts_with: int | None
) -> None:
    scenario = Scenario()
    for number, starter in enumerate(starters, 1):
        statuses = scenario.join(f"call-{number}", start_on_enter=starter, min_participants_to_start=enough)
        assert statuses == (JOIN_AND_START if number == starts_with else JOIN)
    assert scenario.conference.status == ("init" if starts_with is None else "in-progress")
    if starts_with is not None:
        assert ("conference-start", f"call-{starts_with}") in scenario.logged()


def test_4_2_3_until_the_start_nobody_hears_anybody_and_later_ones_go_straight_in() -> None:
    scenario = waiting("a", "b")
    assert scenario.heard() == {"a": "", "b": ""}
    scenario.join("s")
    assert scenario.join("c", start_on_enter=False) == JOIN
    assert scenario.heard() == {"a": "bsc", "b": "asc", "s": "abc", "c": "abs"}


def test_4_2_4_at_the_start_waiting_audio_stops_for_all_at_once() -> None:
    scenario = waiting(*"abcdefgh", wait_url=MUSIC)
    assert {leg.program for leg in legs(scenario.conference).values()} == {Program("wait", MUSIC)}
    assert scenario.join("s") == JOIN_AND_START
    assert {(leg.program, leg.hears, leg.heard) for leg in legs(scenario.conference).values()} == {(None, True, True)}


def test_4_2_5_a_muted_starter_starts() -> None:
    scenario = waiting("a")
    assert scenario.join("s", muted=True) == JOIN_AND_START


def test_4_2_6_only_who_is_present_counts_and_counts_before_its_first_packet() -> None:
    scenario = waiting("a", min_participants_to_start=3)
    scenario.join("s")
    scenario.do(Leave("s"))
    assert scenario.join("b", start_on_enter=False) == JOIN
    assert scenario.join("c", start_on_enter=False) == JOIN
    assert scenario.join("t") == JOIN_AND_START
    assert {p.state.value for p in scenario.conference.present} == {"connecting"}
    scenario.do(MediaConnected("a"))
    assert scenario.participant("a").state.value == "active"


def test_4_2_7_a_name_used_again_is_another_conference() -> None:
    first = started("a")
    first.do(End())
    ended = first.conference
    again = Scenario("again")
    assert again.join("a", conference_id="conf-2", start_on_enter=False) == JOIN
    assert (again.conference.name, again.conference.conference_id) == (ended.name, "conf-2")
    assert (again.conference.status, again.conference.sequence) == ("init", 1)
    assert (ended.conference_id, ended.status) == ("conf-1", "completed")


@pytest.mark.parametrize(
    "command", [a_join("b"), Leave("a"), Kick("a"), HangUp("a"), Update("a", muted=True), End()], ids=repr
)
def test_4_2_8_what_has_ended_takes_nothing(command: Command) -> None:
    scenario = started("a")
    scenario.do(End())
    assert refused(scenario, command) == "conference_ended"


def test_4_6_1_a_full_conference_takes_nobody_until_one_leaves() -> None:
    scenario = started("a", "b", max_participants=2)
    assert refused(scenario, a_join("c")) == "conference_full"
    scenario.do(Leave("a"))
    assert scenario.join("c") == JOIN


@pytest.mark.parametrize(
    "command", [Update("b", muted=True), Update("b", hold=True), Update("b", coach="a"), MediaConnected("b")], ids=repr
)
def test_4_6_2_everybody_counts(command: Command) -> None:
    scenario = started("a", "b", max_participants=2)
    scenario.do(command)
    assert refused(scenario, a_join("c")) == "conference_full"
    unstarted = waiting("a", "b", max_participants=2)
    assert refused(unstarted, a_join("c")) == "conference_full"


@pytest.mark.parametrize(
    ("limit", "enough", "taken"),
    [(1, 1, False), (0, 1, False), (2, 1, True), (100_000, 1, True), (100_001, 1, False), (2, 3, False), (3, 3, True)],
)
def test_4_6_3_limits_of_the_limit(limit: int, enough: int, taken: bool) -> None:
    join = a_join("a", max_participants=limit, min_participants_to_start=enough)
    if taken:
        scenario = Scenario()
        scenario.do(join)
        assert scenario.conference.max_participants == limit
    else:
        assert refused(Scenario(), join) == "invalid_request"


def test_4_9_1_the_first_join_that_names_a_thing_decides_it() -> None:
    scenario = Scenario()
    scenario.join("a", default_region="here", start_on_enter=False)
    scenario.join("b", max_participants=4, min_participants_to_start=3, start_on_enter=False)
    scenario.join("c", max_participants=9, region="eu")
    scenario.join("d", max_participants=2, region="us", default_region="there")
    conference = scenario.conference
    assert (conference.max_participants, conference.region) == (4, "eu")
    assert conference.settings.min_participants_to_start == 1
    assert scenario.logged()[2:4] == [("participant-join", "c"), ("conference-start", "c")]
    assert refused(scenario, a_join("e", max_participants=9)) == "conference_full"
