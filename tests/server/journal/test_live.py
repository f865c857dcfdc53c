"""Reading the events of all conferences of a project as they were written."""

from server.conference.commands import End
from server.journal import Journal
from tests.server.journal.recorder import Recorded


async def test_a_project_is_read_across_its_conferences(journal: Journal) -> None:
    red, blue = Recorded(journal, "red", "red"), Recorded(journal, "blue", "blue")
    stranger = Recorded(journal, "stranger", "red")
    await red.join("a")
    await stranger.join("a", project_id="key-2")
    await blue.join("a")
    await red.do(End())
    found = await journal.live_events("key-1", 0)
    assert [event["id"] for _, event in found] == ["red-1", "red-2", "blue-1", "blue-2", "red-3", "red-4"]
    assert [event for _, event in found][4:] == [entry.wire for entry in red.scenario.log[2:]]
    positions = [position for position, _ in found]
    assert positions == sorted(set(positions))
    assert await journal.newest_event("key-1") == (positions[-1], "red-4")
    assert await journal.live_events("key-1", positions[2], limit=2) == found[3:5]
    assert await journal.live_events("key-1", positions[-1]) == []
    assert [event["id"] for _, event in await journal.live_events("key-2", 0)] == ["stranger-1", "stranger-2"]
    assert await journal.live_events("key-3", 0) == []


async def test_the_newest_event_is_the_projects_own(journal: Journal) -> None:
    assert await journal.newest_event("key-1") is None
    recorded = Recorded(journal)
    await recorded.join("a")
    stranger = Recorded(journal, "stranger", "red")
    await stranger.join("a", project_id="key-2")
    position = await journal.position_of("conf-1-2", "key-1")
    assert await journal.newest_event("key-1") == (position, "conf-1-2")
    assert await journal.newest_event("key-3") is None


async def test_an_event_is_found_by_its_own_project(journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a")
    position = await journal.position_of("conf-1-1", "key-1")
    assert position is not None
    assert [event["id"] for _, event in await journal.live_events("key-1", position)] == ["conf-1-2"]
    assert await journal.position_of("conf-1-1", "key-2") is None
    assert await journal.position_of("conf-1-9", "key-1") is None
