"""Old conferences are forgotten whole, and only once everybody knows all of them."""

from server.conference.commands import End
from server.journal import Journal
from server.webhooks.model import DeliveryState
from tests.server.journal.recorder import Recorded
from tests.server.journal.test_outbox import Outboxed, settled


async def ended(journal: Journal, conference_id: str, now: float) -> Recorded:
    recorded = Recorded(journal, conference_id, conference_id, now)
    await recorded.join("a")
    await recorded.do(End())
    return recorded


async def test_what_ended_before_is_forgotten_with_its_events(journal: Journal) -> None:
    old, young = await ended(journal, "old", 1000.0), await ended(journal, "young", 5000.0)
    await Recorded(journal, "open", "open", now=10.0).join("a")
    ended_at = old.conference.ended_at
    assert ended_at is not None
    assert await journal.prune(ended_at, 100) == 0
    assert await journal.prune(ended_at + 1, 100) == 1
    assert await journal.load("old") is None
    assert await journal.events("old") == []
    assert await journal.position_of("old-1", "key-1") is None
    assert await journal.load("young") == young.conference
    assert {summary.conference_id for summary in await journal.list_conferences()} == {"young", "open"}


async def test_the_oldest_go_first_and_no_more_than_asked(journal: Journal) -> None:
    for number in (3, 1, 2):
        await ended(journal, f"conf-{number}", 1000.0 * number)
    assert await journal.prune(1e6, 2) == 2
    assert [summary.conference_id for summary in await journal.list_conferences()] == ["conf-3"]
    assert await journal.prune(1e6, 2) == 1
    assert await journal.prune(1e6, 2) == 0


async def test_positions_go_on_after_everything_was_forgotten(journal: Journal) -> None:
    await ended(journal, "old", 1000.0)
    newest = await journal.newest_event("key-1")
    assert newest is not None
    last = newest[0]
    await journal.prune(1e6, 10)
    await ended(journal, "new", 2000.0)
    positions = [position for position, _ in await journal.live_events("key-1", last)]
    assert len(positions) == 4


async def test_a_conference_that_is_still_to_be_told_of_stays(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    logged = len(outboxed.scenario.log)
    outboxed.scenario.do(End())
    await outboxed.append(logged)
    (lane_id,) = outboxed.lane_ids
    waits = (await journal.heads([lane_id], 9))[lane_id]
    await journal.settle([settled(delivery) for delivery in waits[:-1]])
    assert await journal.prune(1e6, 10) == 0
    await journal.settle([settled(waits[-1], DeliveryState.DEAD)])
    assert await journal.prune(1e6, 10) == 1
    assert await journal.list_deliveries("key-1") == []
