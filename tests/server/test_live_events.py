"""Following the log: order, filters, waking up, signs of life, ending. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from server.journal import JournalUnavailable
from server.live_events import BATCH, EVERYTHING, KEEP_ALIVE_S, Bell, Only, Reader
from tests.server.prompts.virtual import VirtualTime, settle

Json = dict[str, Any]


class Log:
    """Events of one project in memory; what is written rings the bell, as the service does."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.events: list[Json] = []
        self.reads: list[int] = []
        self.broken = False

    def write(self, conference_id: str = "c-1", name: str = "standup", count: int = 1) -> None:
        for _ in range(count):
            number = len(self.events) + 1
            params = {"conference_id": conference_id, "name": name}
            self.events.append({"id": f"e-{number}", "params": params})
        self.bell.ring()

    async def live_events(self, project_id: str, after_position: int, limit: int) -> list[tuple[int, Json]]:
        assert project_id == "p-1"
        self.reads.append(after_position)
        if self.broken:
            raise JournalUnavailable("gone")
        await asyncio.sleep(0)
        return list(enumerate(self.events, 1))[after_position : after_position + limit]


class Client:
    """Takes batches as they come and writes down when."""

    def __init__(self, log: Log, time: VirtualTime, after: int = 0, only: Only = EVERYTHING) -> None:
        self._time = time
        self.batches: list[tuple[float, list[str]]] = []

        async def wait(event: asyncio.Event, at_most_s: float) -> None:
            loop = asyncio.get_running_loop()
            waits = {loop.create_task(event.wait()), loop.create_task(time.sleep(at_most_s))}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()

        reader = Reader(log, log.bell, time.now, wait)
        self.reading = asyncio.get_running_loop().create_task(self._take(reader.batches("p-1", after, only)))

    async def _take(self, batches: AsyncIterator[list[Json]]) -> None:
        async for batch in batches:
            self.batches.append((self._time.now(), [event["id"] for event in batch]))

    @property
    def ids(self) -> list[str]:
        return [event_id for _, batch in self.batches for event_id in batch]


async def test_events_come_in_order_from_a_place_in_the_log_and_then_as_they_are_written() -> None:
    log, time = Log(), VirtualTime()
    log.write(count=3)
    client = Client(log, time, after=1)
    await settle()
    assert client.ids == ["e-2", "e-3"]
    log.write(count=2)
    await settle()
    assert client.ids == ["e-2", "e-3", "e-4", "e-5"]
    client.reading.cancel()


async def test_what_is_written_while_a_reader_looks_is_not_missed() -> None:
    class Late(Log):
        async def live_events(self, project_id: str, after_position: int, limit: int) -> list[tuple[int, Json]]:
            found = await super().live_events(project_id, after_position, limit)
            if after_position == 0 and not self.events:
                self.write()  # after the look, before the wait
            return found

    log, time = Late(), VirtualTime()
    client = Client(log, time)
    await settle()
    assert client.ids == ["e-1"]
    client.reading.cancel()


async def test_one_batch_at_a_time_is_read_and_only_when_the_one_before_was_taken() -> None:
    log, time = Log(), VirtualTime()
    log.write(count=2 * BATCH + 1)
    reading = Reader(log, log.bell, time.now).batches("p-1", 0)
    assert len(await anext(reading)) == BATCH
    await settle()
    assert log.reads == [0]
    assert len(await anext(reading)) == BATCH
    assert len(await anext(reading)) == 1
    assert log.reads == [0, BATCH, 2 * BATCH]


async def test_silence_is_broken_by_a_sign_of_life() -> None:
    log, time = Log(), VirtualTime()
    client = Client(log, time)
    await time.pass_by(KEEP_ALIVE_S + 5)
    log.write()
    await time.pass_by(KEEP_ALIVE_S + 1)
    assert client.batches == [(15.0, []), (20.0, ["e-1"]), (35.0, [])]
    client.reading.cancel()


async def test_a_client_that_wants_little_gets_signs_of_life_however_much_happens() -> None:
    log, time = Log(), VirtualTime()
    client = Client(log, time, only=Only(name="retro"))
    for _ in range(40):
        log.write()
        await time.pass_by(1.0)
    assert client.batches == [(15.0, []), (30.0, [])]
    log.write(name="retro")
    await settle()
    assert client.ids == ["e-41"]
    client.reading.cancel()


async def test_only_what_is_wanted_is_told() -> None:
    log, time = Log(), VirtualTime()
    log.write("c-1", "standup")
    log.write("c-2", "retro")
    log.write("c-3", "standup")
    wanted = {
        EVERYTHING: ["e-1", "e-2", "e-3"],
        Only(name="standup"): ["e-1", "e-3"],
        Only(conference_id="c-2"): ["e-2"],
        Only(conference_id="c-3", name="standup"): ["e-3"],
        Only(conference_id="c-2", name="standup"): [],
    }
    for only, ids in wanted.items():
        client = Client(log, time, only=only)
        await settle()
        assert client.ids == ids
        client.reading.cancel()


async def test_when_the_bell_is_closed_a_reader_reads_to_the_end_and_ends() -> None:
    log, time = Log(), VirtualTime()
    log.write(count=BATCH + 1)
    client = Client(log, time)
    await settle()
    log.write()
    log.bell.close()
    await settle()
    assert client.reading.done() and len(client.ids) == BATCH + 2
    late = Client(log, time)
    await settle()
    assert late.reading.done() and len(late.ids) == BATCH + 2


async def test_the_bell_knows_when_nobody_listens_any_more() -> None:
    log, time = Log(), VirtualTime()
    await log.bell.left_alone()
    staying, going = Client(log, time), Client(log, time)
    await settle()
    leaving = asyncio.get_running_loop().create_task(log.bell.left_alone())
    going.reading.cancel()
    await settle()
    assert not leaving.done()
    log.bell.close()
    await settle()
    assert staying.reading.done() and leaving.done()


async def test_a_log_that_cannot_be_read_ends_the_reading() -> None:
    log, time = Log(), VirtualTime()
    client = Client(log, time)
    await settle()
    log.broken = True
    log.write()
    await settle()
    assert client.reading.done() and client.reading.exception() is None


async def test_waiting_ends_by_itself() -> None:
    log = Log()
    clock = iter([0.0, 0.0, KEEP_ALIVE_S - 0.001, KEEP_ALIVE_S, KEEP_ALIVE_S, KEEP_ALIVE_S])
    reading = Reader(log, log.bell, lambda: next(clock)).batches("p-1", 0)
    assert await anext(reading) == []
