import asyncio
from itertools import pairwise

import pytest

from server.journal.errors import JournalUnavailable
from server.tasks import Tasks
from server.webhooks.batching import Batcher, persistently
from tests.server.webhooks.virtual import virtually


def test_what_comes_meanwhile_goes_together() -> None:
    batches: list[list[int]] = []

    async def double(items: list[int]) -> list[int]:
        batches.append(items)
        await asyncio.sleep(1)
        return [2 * item for item in items]

    async def main() -> list[int]:
        batcher = Batcher(double, Tasks(), "double", most=3)
        return await asyncio.gather(*(batcher.ask(item) for item in range(6)))

    assert virtually(main()) == [0, 2, 4, 6, 8, 10]
    assert [len(batch) for batch in batches] in ([1, 3, 2], [3, 3])


def test_an_outage_is_waited_out() -> None:
    times: list[float] = []

    async def ask() -> str:
        times.append(asyncio.get_running_loop().time())
        if times[-1] < 60:
            raise JournalUnavailable("locked")
        return "there"

    async def main() -> str:
        return await persistently(ask)

    assert virtually(main()) == "there"
    assert times[1] == pytest.approx(0.1)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert max(pauses) == pytest.approx(5)


def test_a_mistake_reaches_all_of_its_batch_and_nobody_else() -> None:
    async def run(items: list[int]) -> list[int]:
        await asyncio.sleep(1)
        if 1 in items:
            raise RuntimeError("a mistake")
        return items

    async def main() -> list[object]:
        batcher = Batcher(run, Tasks(), "run", most=1)
        return await asyncio.gather(*(batcher.ask(item) for item in range(3)), return_exceptions=True)

    first, second, third = virtually(main())
    assert (first, third) == (0, 2)
    assert isinstance(second, RuntimeError)


def test_who_is_cancelled_takes_nobody_along() -> None:
    async def run(items: list[int]) -> list[int]:
        await asyncio.sleep(1)
        return items

    async def main() -> int:
        tasks = Tasks()
        batcher = Batcher(run, tasks, "run", most=10)
        gone = tasks.spawn(batcher.ask(1), "gone")
        stays = tasks.spawn(batcher.ask(2), "stays")
        await asyncio.sleep(0.5)
        gone.cancel()
        return await stays

    assert virtually(main()) == 2
