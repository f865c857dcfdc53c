from typing import Any

import pytest

from server.conference.commands import End, Kick, Leave, MediaConnected
from server.conference.model import ConferenceState, ParticipantState
from server.conference.refusals import Refusal
from tests.server.conference.scenario import Scenario, started


def refused(scenario: Scenario, call_id: str, **fields: Any) -> str:
    before, logged = scenario.current, list(scenario.log)
    with pytest.raises(Refusal) as refusal:
        scenario.join(call_id, **fields)
    assert scenario.current is before
    assert scenario.log == logged
    return refusal.value.code


def test_first_join_creates_the_conference_and_starts_it() -> None:
    scenario = Scenario()
    assert scenario.join("a") == ["participant-join", "conference-start"]
    conference = scenario.conference
    assert (conference.conference_id, conference.name, conference.project_id) == ("conf-1", "team", "key-1")
    assert (conference.status, conference.size, conference.sequence) == ("in-progress", 1, 2)
    assert conference.created_at == conference.started_at == 1000.0


def test_a_participant_is_as_its_join_said() -> None:
    scenario = started("x")
    scenario.join(
        "a",
        label="anna",
        metadata={"k": [1]},
        tag="t",
        muted=True,
        start_on_enter=False,
        end_on_exit=True,
        coach="x",
    )
    anna = scenario.participant("a")
    assert (anna.label, anna.metadata, anna.tag) == ("anna", {"k": [1]}, "t")
    assert (anna.muted, anna.start_on_enter, anna.end_on_exit) == (True, False, True)
    assert (anna.coaching, anna.coach, anna.hold, anna.gain_db) == (True, "x", False, 0.0)


def test_a_starter_alone_waits_until_enough_are_here() -> None:
    scenario = Scenario()
    assert scenario.join("a", min_participants_to_start=2) == ["participant-join"]
    assert scenario.conference.status == "init"
    assert scenario.join("b", start_on_enter=False) == ["participant-join", "conference-start"]
    assert scenario.conference.status == "in-progress"


def test_non_starters_wait_for_a_starter_however_many_they_are() -> None:
    scenario = Scenario()
    for call_id in "abc":
        assert scenario.join(call_id, start_on_enter=False) == ["participant-join"]
    assert scenario.join("s") == ["participant-join", "conference-start"]
    assert scenario.log[-1].wire["params"]["call_id"] == "s"


def test_only_those_who_are_here_now_count_for_the_start() -> None:
    scenario = Scenario()
    scenario.join("a", start_on_enter=False, min_participants_to_start=3)
    scenario.join("s")
    assert scenario.do(Leave("s")) == ["participant-leave"]
    assert scenario.join("b", start_on_enter=False) == ["participant-join"]
    assert scenario.join("c", start_on_enter=False) == ["participant-join"]
    assert scenario.conference.state is ConferenceState.WAITING
    assert scenario.join("s") == ["participant-join", "conference-start"]


def test_a_muted_starter_starts() -> None:
    assert Scenario().join("a", muted=True) == ["participant-join", "conference-start"]


def test_a_participant_counts_before_its_first_packet() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=2)
    scenario.join("b")
    assert scenario.conference.state is ConferenceState.ACTIVE
    assert scenario.participant("a").state is ParticipantState.CONNECTING


def test_once_started_it_never_goes_back_to_waiting() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=2)
    scenario.join("b")
    scenario.do(Leave("a"))
    assert scenario.conference.state is ConferenceState.ACTIVE
    assert scenario.join("c", start_on_enter=False) == ["participant-join"]
    assert scenario.heard() == {"b": "c", "c": "b"}


def test_the_first_join_decides_when_to_start() -> None:
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=3)
    scenario.join("b", min_participants_to_start=1)
    assert scenario.conference.state is ConferenceState.WAITING
    assert scenario.conference.settings.min_participants_to_start == 3


def test_the_first_join_that_names_a_limit_or_region_decides_it() -> None:
    scenario = Scenario()
    scenario.join("a", default_region="here")
    assert (scenario.conference.max_participants, scenario.conference.region) == (100_000, "here")
    scenario.join("b", max_participants=5, region="eu", default_region="there")
    assert (scenario.conference.max_participants, scenario.conference.region) == (5, "eu")
    scenario.join("c", max_participants=9, region="us")
    assert (scenario.conference.max_participants, scenario.conference.region) == (5, "eu")


def test_a_full_conference_refuses_and_has_room_again_when_one_leaves() -> None:
    scenario = Scenario()
    scenario.join("a", max_participants=2)
    scenario.join("b")
    assert refused(scenario, "c") == "conference_full"
    scenario.do(Kick("b"))
    assert scenario.join("c") == ["participant-join"]


def test_muted_held_and_coaching_participants_fill_places() -> None:
    scenario = started("a", max_participants=2)
    scenario.join("b", muted=True, coach="a")
    assert refused(scenario, "c") == "conference_full"


def test_a_limit_named_when_that_many_are_here_already_refuses_its_own_join() -> None:
    scenario = started("a", "b")
    assert refused(scenario, "c", max_participants=2) == "conference_full"
    assert scenario.conference.max_participants == 100_000


@pytest.mark.parametrize("limit", [-1, 0, 1, 100_001])
def test_max_participants_out_of_bounds(limit: int) -> None:
    assert refused(Scenario(), "a", max_participants=limit) == "invalid_request"


@pytest.mark.parametrize("limit", [2, 100_000])
def test_max_participants_at_its_bounds(limit: int) -> None:
    scenario = started("a", max_participants=limit)
    assert scenario.conference.max_participants == limit


@pytest.mark.parametrize("enough", [-1, 0, 100_001])
def test_min_participants_to_start_out_of_bounds(enough: int) -> None:
    assert refused(Scenario(), "a", min_participants_to_start=enough) == "invalid_request"


def test_a_conference_that_could_never_start_is_refused() -> None:
    assert refused(Scenario(), "a", min_participants_to_start=3, max_participants=2) == "invalid_request"
    scenario = Scenario()
    scenario.join("a", min_participants_to_start=3)
    assert refused(scenario, "b", max_participants=2) == "invalid_request"


def test_a_call_is_in_a_conference_once() -> None:
    assert refused(started("a"), "a") == "call_already_in_conference"


def test_an_ended_conference_takes_nobody() -> None:
    scenario = started("a")
    scenario.do(End())
    assert refused(scenario, "b") == "conference_ended"


def test_a_label_is_unique_among_those_present() -> None:
    scenario = started("a", label="anna")
    assert refused(scenario, "b", label="anna") == "label_in_use"
    scenario.join("c")
    scenario.do(Leave("a"))
    assert scenario.join("b", label="anna") == ["participant-join"]


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": "a\nb"}, {"label": "a/b"}, {"label": ""}, {"region": "the moon"}]
)
def test_bad_words_are_refused(fields: dict[str, str]) -> None:
    assert refused(Scenario(), "a", **fields) == "invalid_request"


def test_a_coach_needs_its_coachee_in_the_conference_in_progress() -> None:
    assert refused(Scenario(), "c", coach="a") == "coach_not_found"
    waiting = Scenario()
    waiting.join("a", start_on_enter=False)
    assert refused(waiting, "c", coach="a") == "coach_not_found"
    active = started("a", "b")
    assert refused(active, "c", coach="nobody") == "coach_not_found"
    assert refused(active, "c", coach="c") == "coach_not_found"
    active.do(Leave("b"))
    assert refused(active, "c", coach="b") == "coach_not_found"
    assert active.join("c", coach="a") == ["participant-join"]


def test_a_call_that_comes_back_starts_a_new_stay_at_the_end() -> None:
    scenario = started("a", "b", muted=True)
    scenario.do(Leave("a"))
    scenario.join("a", label="again")
    assert [p.call_id for p in scenario.conference.present] == ["b", "a"]
    assert (scenario.participant("a").muted, scenario.participant("a").label) == (False, "again")
    stays = scenario.conference.stays
    assert [(p.call_id, p.state is ParticipantState.LEFT) for p in stays] == [
        ("a", True),
        ("b", False),
        ("a", False),
    ]


@pytest.mark.parametrize(("enough", "state"), [(1, ParticipantState.ACTIVE), (2, ParticipantState.WAITING)])
def test_a_call_with_media_already_is_never_connecting(enough: int, state: ParticipantState) -> None:
    scenario = Scenario()
    scenario.join("a", media_connected=True, min_participants_to_start=enough)
    assert scenario.participant("a").state is state


def test_the_start_activates_those_who_wait_and_leaves_the_others_connecting() -> None:
    scenario = Scenario()
    scenario.join("a", media_connected=True, min_participants_to_start=4)
    scenario.join("b")
    scenario.join("gone")
    scenario.do(Leave("gone"))
    scenario.join("c", media_connected=True)
    scenario.join("d", media_connected=True)
    states = {p.call_id: p.state for p in scenario.conference.participants.values()}
    assert states == {
        "a": ParticipantState.ACTIVE,
        "b": ParticipantState.CONNECTING,
        "c": ParticipantState.ACTIVE,
        "d": ParticipantState.ACTIVE,
        "gone": ParticipantState.LEFT,
    }
    scenario.do(MediaConnected("b"))
    assert scenario.participant("b").state is ParticipantState.ACTIVE
