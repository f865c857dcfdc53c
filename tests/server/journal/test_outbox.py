"""Deliveries in the journal: written with their events, found at the heads of their lanes, settled once."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import event

from server.conference.commands import Update
from server.journal import Journal, SequenceConflict
from server.webhooks.model import (
    Delivery,
    DeliveryKind,
    DeliveryState,
    LaneDue,
    NewDelivery,
    Settled,
)
from tests.server.conference.scenario import Scenario, started

FIRST = "https://one.example/hook"
SECOND = "https://two.example/hook"


def told(event_id: str, url: str = FIRST, **changes: Any) -> NewDelivery:
    new = NewDelivery(event_id, DeliveryKind.STATUS, url, "POST", "relay")
    return dataclasses.replace(new, **changes)


def settled(delivery: Delivery, state: DeliveryState = DeliveryState.DELIVERED, **changes: Any) -> Settled:
    last_error = None if state is DeliveryState.DELIVERED else "refused"
    outcome = Settled(delivery.delivery_id, delivery.lane_id, state, 1, 2000.0, None, None, last_error)
    return dataclasses.replace(outcome, **changes)


class Outboxed:
    """A conference whose every event is told to some endpoints."""

    def __init__(self, journal: Journal, conference_id: str = "conf-1", urls: Sequence[str] = (FIRST,)) -> None:
        self.journal = journal
        self.urls = urls
        self.scenario = Scenario(prefix=conference_id)
        self._identity = {"conference_id": conference_id, "name": f"name-{conference_id}"}
        self.lane_ids: list[int] = []

    async def join(self, call_id: str, **fields: Any) -> None:
        logged = len(self.scenario.log)
        self.scenario.join(call_id, **self._identity | fields)
        await self.append(logged)

    async def toggle(self, times: int = 1) -> None:
        logged = len(self.scenario.log)
        for _ in range(times):
            self.scenario.do(Update("a", muted=not self.scenario.participant("a").muted))
        await self.append(logged)

    async def append(self, logged: int) -> None:
        entries = self.scenario.log[logged:]
        deliveries = [told(entry.event_id, url) for entry in entries for url in self.urls]
        self.lane_ids = await self.journal.append(self.scenario.conference, entries, deliveries)

    async def head(self, lane_id: int | None = None) -> Delivery | None:
        lane_id = self.lane_ids[0] if lane_id is None else lane_id
        return (await self.journal.heads([lane_id], 1)).get(lane_id, [None])[0]


async def test_a_delivery_carries_all_that_a_request_needs(journal: Journal) -> None:
    scenario = started("a")
    new = [
        told("event-1", f"{FIRST}?x=1#ct=2000", method="GET", encoding="form", kind=DeliveryKind.RECORDING),
        told("event-2", f"{FIRST}?x=1"),
    ]
    (lane_id,) = await journal.append(scenario.conference, scenario.log, new)
    first, second = (await journal.heads([lane_id], 10))[lane_id]
    assert first == Delivery(
        delivery_id=first.delivery_id,
        lane_id=lane_id,
        conference_id="conf-1",
        project_id="key-1",
        kind=DeliveryKind.RECORDING,
        url=f"{FIRST}?x=1#ct=2000",
        method="GET",
        encoding="form",
        attempts=0,
        created_at=1000.0,
        next_at=1000.0,
        event=scenario.log[0].wire,
        gap=False,
    )
    assert second.event == scenario.log[1].wire
    assert await journal.lanes_due() == [LaneDue(lane_id, 1000.0)]


async def test_nobody_to_tell_means_no_lane(journal: Journal) -> None:
    scenario = started("a")
    assert await journal.append(scenario.conference, scenario.log) == []
    assert await journal.lanes_due() == []
    assert await journal.heads([1, 2], 1) == {}


async def test_lanes_are_of_a_conference_and_an_endpoint(journal: Journal) -> None:
    red = Outboxed(journal, "red", [FIRST, SECOND, f"{FIRST}#rc=3"])
    blue = Outboxed(journal, "blue", [FIRST])
    await red.join("a")
    await blue.join("a")
    assert len({*red.lane_ids, *blue.lane_ids}) == 3
    known = list(red.lane_ids)
    await red.toggle()
    assert red.lane_ids == known
    heads = await journal.heads([*red.lane_ids, *blue.lane_ids, 999], 100)
    sequences = {lane_id: [delivery.event["sequence"] for delivery in waits] for lane_id, waits in heads.items()}
    assert sequences == {red.lane_ids[0]: [1, 1, 2, 2, 3, 3], red.lane_ids[1]: [1, 2, 3], blue.lane_ids[0]: [1, 2]}


async def test_heads_come_in_order_and_no_more_than_asked(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    await outboxed.toggle(20)
    (lane_id,) = outboxed.lane_ids
    assert [d.event["sequence"] for d in (await journal.heads([lane_id], 3))[lane_id]] == [1, 2, 3]
    head = await outboxed.head()
    assert head is not None
    await journal.settle([settled(head)])
    assert [d.event["sequence"] for d in (await journal.heads([lane_id], 3))[lane_id]] == [2, 3, 4]


async def test_many_lanes_are_asked_for_at_once(journal: Journal) -> None:
    scenario = started("a")
    urls = [f"https://example.org/{number}" for number in range(1100)]
    lane_ids = await journal.append(scenario.conference, scenario.log, [told("event-2", url) for url in urls])
    heads = await journal.heads(lane_ids, 1)
    assert [heads[lane_id][0].url for lane_id in lane_ids] == urls


async def test_a_refused_append_tells_nobody(journal: Journal) -> None:
    scenario = started("a")
    await journal.append(scenario.conference, scenario.log)
    again = [dataclasses.replace(entry, event_id=f"other-{entry.sequence}") for entry in scenario.log]
    with pytest.raises(SequenceConflict):
        await journal.append(scenario.conference, again, [told("other-1")])
    with pytest.raises(ValueError, match="not logged with it"):
        await journal.append(scenario.conference, [], [told("event-1")])
    assert await journal.lanes_due() == []
    assert await journal.list_deliveries("key-1") == []


async def test_what_failed_waits_for_its_next_attempt(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    (lane_id,) = outboxed.lane_ids
    head = await outboxed.head()
    assert head is not None
    failed = settled(head, DeliveryState.PENDING, next_at=2005.0, last_status=503, last_error="http_503")
    await journal.settle([failed])
    assert await journal.lanes_due() == [LaneDue(lane_id, 2005.0)]
    assert await outboxed.head() == dataclasses.replace(head, attempts=1, next_at=2005.0)
    record = (await journal.list_deliveries("key-1"))[-1]
    assert (record.state, record.attempts, record.last_status, record.last_error) == (
        DeliveryState.PENDING,
        1,
        503,
        "http_503",
    )
    assert (record.next_at, record.last_attempt_at, record.delivered_at) == (2005.0, 2000.0, None)


async def test_a_delivery_is_settled_once(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    head = await outboxed.head()
    assert head is not None
    await journal.settle([settled(head, last_status=204)])
    await journal.settle([settled(head, DeliveryState.DEAD, attempts=9, at=3000.0)])
    record = (await journal.list_deliveries("key-1"))[-1]
    assert (record.state, record.attempts, record.last_status, record.last_error) == (
        DeliveryState.DELIVERED,
        1,
        204,
        None,
    )
    assert (record.next_at, record.last_attempt_at, record.delivered_at) == (None, 2000.0, 2000.0)
    following = await outboxed.head()
    assert following is not None
    assert not following.gap


async def test_after_a_dead_delivery_its_lane_has_a_gap(journal: Journal) -> None:
    outboxed = Outboxed(journal, urls=[FIRST, SECOND])
    await outboxed.join("a")
    one, two = outboxed.lane_ids
    head = await outboxed.head(one)
    assert head is not None
    await journal.settle([settled(head, DeliveryState.DEAD)])
    heads = await journal.heads([one, two], 1)
    assert (heads[one][0].gap, heads[one][0].event["sequence"]) == (True, 2)
    assert (heads[two][0].gap, heads[two][0].event["sequence"]) == (False, 1)
    await outboxed.toggle()
    assert [delivery.gap for delivery in (await journal.heads([one], 9))[one]] == [True, True]


async def test_an_endpoint_that_is_gone_is_told_nothing_more(journal: Journal) -> None:
    outboxed = Outboxed(journal, urls=[FIRST, SECOND])
    await outboxed.join("a")
    one, two = outboxed.lane_ids
    head = await outboxed.head(one)
    assert head is not None
    gone = settled(head, DeliveryState.DEAD, last_status=410, last_error="http_410", closes_lane=True)
    await journal.settle([gone])
    await outboxed.toggle()
    assert outboxed.lane_ids == [two]
    assert list(await journal.heads([one, two], 1)) == [two]
    dead = await journal.list_deliveries("key-1", state=DeliveryState.DEAD)
    assert [(record.sequence, record.last_error, record.attempts) for record in dead] == [
        (3, "endpoint_gone", 0),
        (2, "endpoint_gone", 0),
        (1, "http_410", 1),
    ]
    assert {record.next_at for record in dead} == {None}


async def test_outcomes_of_many_lanes_are_written_together(journal: Journal) -> None:
    outboxed = Outboxed(journal, urls=[f"https://example.org/{number}" for number in range(5)])
    await outboxed.join("a")
    heads = [waits[0] for waits in (await journal.heads(outboxed.lane_ids, 1)).values()]
    await journal.settle([])
    await journal.settle(
        [settled(head, DeliveryState.DEAD, closes_lane=number == 4) for number, head in enumerate(heads) if number > 1]
        + [settled(head) for head in heads[:2]]
    )
    after = await journal.heads(outboxed.lane_ids, 1)
    assert [(waits[0].gap, waits[0].event["sequence"]) for waits in after.values()] == [
        (False, 2),
        (False, 2),
        (True, 2),
        (True, 2),
    ]


async def test_what_was_logged_can_be_told_again(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    (known,) = outboxed.lane_ids
    head = await outboxed.head()
    assert head is not None
    await journal.settle([settled(head, DeliveryState.PENDING, next_at=9000.0)])
    again = [
        told("conf-1-1", FIRST, kind=DeliveryKind.REPLAY),
        told("conf-1-2", "https://new.example/", kind=DeliveryKind.REPLAY),
    ]
    lane_ids = await journal.add_deliveries("conf-1", again, 3000.0)
    assert lane_ids[0] == known
    assert len(set(lane_ids)) == 2
    assert {(lane.lane_id, lane.next_at) for lane in await journal.lanes_due()} == {
        (known, 3000.0),
        (lane_ids[1], 3000.0),
    }
    waits = await journal.heads(lane_ids, 9)
    assert [(d.event["sequence"], d.kind, d.next_at) for d in waits[known]] == [
        (1, DeliveryKind.STATUS, 3000.0),
        (2, DeliveryKind.STATUS, 1000.0),
        (1, DeliveryKind.REPLAY, 3000.0),
    ]
    assert waits[lane_ids[1]][0].event == outboxed.scenario.log[1].wire
    assert await journal.add_deliveries("conf-1", [], 3000.0) == []


async def test_only_what_the_conference_logged_is_told_again(journal: Journal) -> None:
    await Outboxed(journal, "red").join("a")
    await Outboxed(journal, "blue", []).join("a")
    with pytest.raises(LookupError, match="blue has no event red-1"):
        await journal.add_deliveries("blue", [told("blue-1"), told("red-1")], 3000.0)
    assert await journal.list_deliveries("key-1", conference_id="blue") == []


async def test_who_was_gone_is_told_again_when_somebody_asks(journal: Journal) -> None:
    outboxed = Outboxed(journal)
    await outboxed.join("a")
    (lane_id,) = outboxed.lane_ids
    head = await outboxed.head()
    assert head is not None
    await journal.settle([settled(head, DeliveryState.DEAD, closes_lane=True)])
    assert await journal.add_deliveries("conf-1", [told("conf-1-1")], 3000.0) == [lane_id]
    await outboxed.toggle()
    waits = (await journal.heads([lane_id], 9))[lane_id]
    assert [(d.event["sequence"], d.gap) for d in waits] == [(1, True), (3, True)]


async def test_lists_show_the_newest_first(journal: Journal) -> None:
    for conference_id in ("red", "blue"):
        await Outboxed(journal, conference_id).join("a")
    other = Outboxed(journal, "other")
    await other.join("a", project_id="key-2")
    everything = await journal.list_deliveries("key-1")
    assert [(record.conference_id, record.sequence) for record in everything] == [
        ("blue", 2),
        ("blue", 1),
        ("red", 2),
        ("red", 1),
    ]
    assert [(record.event_id, record.status) for record in everything[:2]] == [
        ("blue-2", "conference-start"),
        ("blue-1", "participant-join"),
    ]
    assert await journal.list_deliveries("key-1", limit=2) == everything[:2]
    assert await journal.list_deliveries("key-1", before=everything[1].delivery_id) == everything[2:]
    assert await journal.list_deliveries("key-1", conference_id="red") == everything[2:]
    assert await journal.list_deliveries("key-1", conference_id="other") == []
    (due, *_) = await journal.lanes_due()
    await journal.settle([settled((await journal.heads([due.lane_id], 1))[due.lane_id][0])])
    (delivered,) = await journal.list_deliveries("key-1", state=DeliveryState.DELIVERED)
    assert len(await journal.list_deliveries("key-1", state=DeliveryState.PENDING)) == 3
    assert await journal.list_deliveries("key-1", state=DeliveryState.DEAD) == []
    in_conference = await journal.list_deliveries("key-1", conference_id=delivered.conference_id)
    assert delivered in in_conference


async def test_what_waits_is_looked_up_and_not_searched(file_journal: Journal) -> None:
    """However many deliveries there are, finding the heads does not read those behind them, nor those done."""
    outboxed = Outboxed(file_journal)
    await outboxed.join("a")
    plans = await explained(file_journal, outboxed.lane_ids)
    assert plans
    assert not [line for line in plans if line.startswith("SCAN")]
    assert any("deliveries_pending" in line for line in plans)


async def explained(journal: Journal, lane_ids: list[int]) -> list[str]:
    seen: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(journal._read_engine, "before_cursor_execute", keep)
    await journal.heads(lane_ids, 1)
    event.remove(journal._read_engine, "before_cursor_execute", keep)
    with journal._read_engine.begin() as connection:
        return [
            row.detail
            for statement, parameters in seen
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
