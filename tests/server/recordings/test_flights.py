"""Work that several want at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.errors import ParleyError
from server.recordings.flights import Flights
from server.tasks import Tasks
from tests.server.prompts.virtual import settle


class Work:
    """Work that ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self) -> None:
        self.begun += 1
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.cancel_all()


async def test_work_under_one_key_is_done_once(tasks: Tasks) -> None:
    flights, work = Flights(tasks, 2), Work()
    waiting = [tasks.spawn(flights.join("key", work, "work"), "waiter") for _ in range(3)]
    await settle()
    work.may_end.set()
    await asyncio.gather(*waiting)
    assert work.begun == 1
    await flights.join("key", work, "work")
    assert work.begun == 2


async def test_no_more_than_so_many_at_once(tasks: Tasks) -> None:
    flights, works = Flights(tasks, 2), [Work() for _ in range(3)]
    for number, work in enumerate(works):
        tasks.spawn(flights.join(number, work, "work"), "waiter")
    await settle()
    assert [work.begun for work in works] == [1, 1, 0]
    works[0].may_end.set()
    await settle()
    assert [work.begun for work in works] == [1, 1, 1]


async def test_a_failure_is_everybodys_and_the_next_one_tries_again(tasks: Tasks) -> None:
    flights, work = Flights(tasks, 1), Work()
    work.failure = OSError("disk full")
    work.may_end.set()
    results = await asyncio.gather(*(flights.join("key", work, "work") for _ in range(2)), return_exceptions=True)
    assert [str(result) for result in results] == ["disk full", "disk full"]
    work.failure = None
    await flights.join("key", work, "work")


async def test_who_gives_up_does_not_end_it_for_the_others(tasks: Tasks) -> None:
    flights, work = Flights(tasks, 1), Work()
    first = tasks.spawn(flights.join("key", work, "work"), "first")
    second = tasks.spawn(flights.join("key", work, "work"), "second")
    await settle()
    first.cancel()
    work.may_end.set()
    await second
    assert work.begun == 1


async def test_a_server_that_stops_says_so(tasks: Tasks) -> None:
    flights, work, others = Flights(tasks, 1), Work(), Tasks()
    waiting = others.spawn(flights.join("key", work, "work"), "waiter")
    await settle()
    await tasks.cancel_all()
    with pytest.raises(ParleyError, match="draining"):
        await waiting
