"""Shared work: begun once, ended for all, and not lost with whoever began it."""

import asyncio

import pytest

from server.prompts.errors import PromptError
from server.prompts.flights import Flights
from server.tasks import Tasks
from tests.server.prompts.virtual import settle


class Work:
    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.failure: PromptError | None = None

    async def do(self) -> str:
        self.begun += 1
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return "done"


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def flights() -> Flights[str]:
    return Flights(Tasks())


async def test_all_who_ask_meanwhile_share_one_end(flights: Flights[str], work: Work) -> None:
    waiting = [asyncio.ensure_future(flights.join("a", work.do)) for _ in range(5)]  # noqa: TID251
    await settle()
    assert work.begun == 1
    work.may_end.set()
    assert await asyncio.gather(*waiting) == ["done"] * 5
    assert len(flights) == 0
    assert await flights.join("a", work.do) == "done"
    assert work.begun == 2


async def test_different_keys_are_different_work(flights: Flights[str], work: Work) -> None:
    work.may_end.set()
    await asyncio.gather(flights.join("a", work.do), flights.join("b", work.do))
    assert work.begun == 2


async def test_who_gives_up_does_not_end_it_for_others(flights: Flights[str], work: Work) -> None:
    first, second = (asyncio.ensure_future(flights.join("a", work.do)) for _ in range(2))  # noqa: TID251
    await settle()
    first.cancel()
    await settle()
    work.may_end.set()
    assert await second == "done"
    assert first.cancelled()


async def test_a_failure_reaches_everybody_as_their_own(flights: Flights[str], work: Work) -> None:
    work.failure = PromptError("prompt_timeout", "too slow")
    work.may_end.set()
    failures = await asyncio.gather(*(flights.join("a", work.do) for _ in range(2)), return_exceptions=True)
    assert [getattr(failure, "code", None) for failure in failures] == ["prompt_timeout"] * 2
    assert failures[0] is not failures[1]
    assert len(flights) == 0
