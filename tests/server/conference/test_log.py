import pytest

from server.conference.commands import End, MediaConnected
from server.conference.decide import decide
from server.conference.log import enact
from tests.server.conference.scenario import ORIGIN, a_join, started


def test_entries_are_numbered_in_order_and_hold_the_conference_as_each_left_it() -> None:
    events = decide(None, a_join("a"), 5.0)
    ids = iter(["e1", "e2"])
    conference, entries = enact(None, events, lambda: next(ids), ORIGIN)
    assert [(entry.event_id, entry.sequence) for entry in entries] == [("e1", 1), ("e2", 2)]
    assert [entry.event for entry in entries] == events
    assert [entry.wire["id"] for entry in entries] == ["e1", "e2"]
    assert conference.sequence == 2


def test_sizes_fall_one_by_one_at_the_end() -> None:
    scenario = started("a", "b", "c")
    scenario.do(End())
    assert [entry.wire["size"] for entry in scenario.log] == [1, 1, 2, 3, 2, 1, 0, 0]
    assert [entry.sequence for entry in scenario.log] == list(range(1, 9))


def test_silent_events_change_the_conference_and_take_no_id() -> None:
    before = started("a").conference
    after, entries = enact(before, decide(before, MediaConnected("a"), 5.0), lambda: pytest.fail("an id"), ORIGIN)
    assert entries == []
    assert after != before


def test_nothing_comes_of_nothing() -> None:
    with pytest.raises(ValueError, match="nothing that would make one"):
        enact(None, [], lambda: "id", ORIGIN)
