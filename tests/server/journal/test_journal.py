import asyncio
import dataclasses

import pytest

from server.conference.commands import End, Leave, MediaConnected, Update
from server.conference.log import LoggedEvent
from server.conference.model import ParticipantState
from server.conference.views import summarize
from server.journal import Journal, JournalUnavailable, RememberedAnswer, SequenceConflict
from tests.server.conference.scenario import started
from tests.server.journal.recorder import Recorded


def forged(entry: LoggedEvent, **changes: object) -> LoggedEvent:
    return dataclasses.replace(entry, **changes)


async def test_events_come_back_as_users_saw_them(journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a", label="Zoë \U0001f600", metadata={"odd": "\ud800", "n": 1.5})
    await recorded.join("b")
    await recorded.do(Update("a", muted=True))
    await recorded.do(End())
    wires = [entry.wire for entry in recorded.scenario.log]
    assert await journal.events("conf-1") == wires
    assert await journal.events("conf-1", after=4) == wires[4:]
    assert await journal.events("conf-1", after=1, limit=2) == wires[1:3]
    assert await journal.events("conf-1", after=len(wires)) == []
    assert await journal.events("no-such-conference") == []


async def test_a_conference_is_rebuilt_from_its_log(journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a", metadata={"k": [1]}, region="eu", max_participants=7)
    await recorded.join("b", coach="a")
    await recorded.do(Leave("a"))
    await recorded.join("a", label="again")
    assert await journal.load("conf-1") == recorded.conference
    await recorded.do(End())
    assert await journal.load("conf-1") == recorded.conference
    assert await journal.load("no-such-conference") is None


async def test_who_had_connected_is_forgotten_with_the_process(journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a")
    await recorded.do(MediaConnected("a"))
    assert recorded.scenario.participant("a").state is ParticipantState.ACTIVE
    loaded = await journal.load("conf-1")
    assert loaded is not None
    assert loaded.participants["a"].state is ParticipantState.CONNECTING
    await recorded.do(Update("a", muted=True))
    assert len(await journal.events("conf-1")) == 3


async def test_lists_show_the_newest_first(journal: Journal) -> None:
    rows = []
    for number, name in enumerate(["red", "blue", "red"]):
        recorded = Recorded(journal, f"conf-{number}", name, now=1000.0 + 10 * number)
        await recorded.join("a", start_on_enter=number != 1, region="eu")
        if number == 0:
            await recorded.do(End())
        rows.append(summarize(recorded.conference))
    assert await journal.list_conferences() == rows[::-1]
    assert await journal.list_conferences(name="red") == [rows[2], rows[0]]
    assert await journal.list_conferences(status="completed") == [rows[0]]
    assert await journal.list_conferences(status="init") == [rows[1]]
    assert await journal.list_conferences(status="in-progress", name="blue") == []
    assert await journal.list_conferences(limit=1) == [rows[2]]
    assert await journal.list_conferences(before=rows[2]) == [rows[1], rows[0]]
    assert await journal.list_conferences(name="red", before=rows[2]) == [rows[0]]
    assert await journal.list_conferences(before=rows[0]) == []
    assert await journal.open_conferences() == ["conf-1", "conf-2"]
    assert await journal.summary("conf-1") == rows[1]
    assert await journal.summary("conf-9") is None


async def test_what_was_appended_survives_closing(url: str, journal: Journal) -> None:
    recorded = Recorded(journal)
    await recorded.join("a")
    await journal.close()
    again = Journal(url)
    await again.open()
    try:
        assert await again.load("conf-1") == recorded.conference
        assert await again.open_conferences() == ["conf-1"]
    finally:
        await again.close()


async def test_nothing_to_append_touches_nothing(journal: Journal) -> None:
    await journal.append(started("a").conference, [])
    assert await journal.list_conferences() == []


async def test_a_sequence_number_is_taken_once(journal: Journal) -> None:
    scenario = started("a")
    await journal.append(scenario.conference, scenario.log)
    again = [forged(entry, event_id=f"other-{entry.sequence}") for entry in scenario.log]
    with pytest.raises(SequenceConflict):
        await journal.append(scenario.conference, again)
    assert await journal.events("conf-1") == [entry.wire for entry in scenario.log]


async def test_a_gap_is_refused(journal: Journal) -> None:
    scenario = started("a", "b")
    await journal.append(scenario.conference, scenario.log)
    scenario.do(Update("a", muted=True))
    scenario.do(Update("a", muted=False))
    with pytest.raises(SequenceConflict):
        await journal.append(scenario.conference, scenario.log[-1:])
    summary = await journal.summary("conf-1")
    assert summary is not None
    assert summary.last_sequence == 3
    await journal.append(scenario.conference, scenario.log[-2:])
    assert len(await journal.events("conf-1")) == 5


async def test_a_log_begins_at_one(journal: Journal) -> None:
    scenario = started("a")
    with pytest.raises(SequenceConflict):
        await journal.append(scenario.conference, scenario.log[1:])
    assert await journal.list_conferences() == []
    assert await journal.events("conf-1") == []


async def test_entries_have_to_lead_up_to_the_conference(journal: Journal) -> None:
    scenario = started("a", "b")
    for entries in (scenario.log[:-1], scenario.log[::-1], [scenario.log[0], scenario.log[0], scenario.log[2]]):
        with pytest.raises(SequenceConflict):
            await journal.append(scenario.conference, entries)
    assert await journal.list_conferences() == []


async def test_an_event_id_is_used_once(journal: Journal) -> None:
    first, second = Recorded(journal, "conf-1"), started("a")
    await first.join("a")
    stolen = [forged(entry, event_id="conf-1-1") for entry in second.log]
    other = dataclasses.replace(second.conference, conference_id="conf-2")
    with pytest.raises(SequenceConflict, match="event_id"):
        await journal.append(other, stolen)
    assert await journal.open_conferences() == ["conf-1"]


async def test_many_appends_at_once_all_arrive(journal: Journal) -> None:
    many = [Recorded(journal, f"conf-{number:03}", f"name-{number}") for number in range(200)]
    await asyncio.gather(*(recorded.join("a") for recorded in many))
    assert sorted(await journal.open_conferences()) == [f"conf-{number:03}" for number in range(200)]
    assert all([len(await journal.events(f"conf-{number:03}")) == 2 for number in range(200)])


async def test_one_bad_append_costs_the_others_nothing(journal: Journal) -> None:
    good = [Recorded(journal, f"conf-{number}", f"name-{number}") for number in range(20)]
    bad = started("a")
    attempts = [recorded.join("a") for recorded in good]
    attempts.insert(10, journal.append(dataclasses.replace(bad.conference, conference_id="bad"), bad.log[1:]))
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [SequenceConflict]
    assert sorted(await journal.open_conferences()) == sorted(f"conf-{number}" for number in range(20))


async def test_a_cancelled_append_is_still_written(journal: Journal) -> None:
    scenario = started("a")
    loop = asyncio.get_running_loop()
    appending = loop.create_task(journal.append(scenario.conference, scenario.log))
    await asyncio.sleep(0)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    await journal.remember(
        "k", "s", RememberedAnswer("hash", 201, "{}"), 1.0
    )  # whatever is written later comes after it
    assert await journal.open_conferences() == ["conf-1"]


async def test_a_closed_journal_is_unavailable(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    await journal.close()
    await journal.close()
    scenario = started("a")
    with pytest.raises(JournalUnavailable, match="closed"):
        await journal.append(scenario.conference, scenario.log)
    with pytest.raises(JournalUnavailable, match="closed"):
        await journal.events("conf-1")


async def test_closing_finishes_what_was_begun(url: str) -> None:
    journal = Journal(url)
    await journal.open()
    scenario = started("a")
    appending = asyncio.gather(journal.append(scenario.conference, scenario.log))
    await asyncio.sleep(0)
    await journal.close()
    await appending
    again = Journal(url)
    await again.open()
    try:
        assert len(await again.events("conf-1")) == 2
    finally:
        await again.close()
