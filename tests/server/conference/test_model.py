import dataclasses

import pytest

from server.conference.commands import Leave
from server.conference.model import ConferenceState, EndReason, LeftReason
from tests.server.conference.scenario import started


def test_states_have_the_names_users_know() -> None:
    assert {state.value: state.status for state in ConferenceState} == {
        "waiting": "init",
        "active": "in-progress",
        "ended": "completed",
    }


def test_reasons_are_spelt_as_the_field_spells_them() -> None:
    assert all("_" in reason.value and "-" not in reason.value for reason in LeftReason)
    assert all("-" in reason.value and "_" not in reason.value for reason in EndReason)


def test_a_conference_cannot_be_changed_in_place() -> None:
    conference = started("a").conference
    with pytest.raises(dataclasses.FrozenInstanceError):
        conference.size = 7  # type: ignore[misc]


def test_who_is_present_and_who_ever_was() -> None:
    scenario = started("a", "b", "c")
    scenario.do(Leave("b"))
    conference = scenario.conference
    assert [p.call_id for p in conference.present] == ["a", "c"]
    assert [p.call_id for p in conference.stays] == ["a", "b", "c"]
    assert conference.find_present("b") is None
    assert conference.find_present("nobody") is None
    found = conference.find_present("c")
    assert found is not None
    assert found.call_id == "c"
