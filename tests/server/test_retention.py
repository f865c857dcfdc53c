"""When old conferences are forgotten, on virtual time."""

import asyncio
from contextlib import suppress

from server.journal import JournalUnavailable
from server.retention import DAY_S, EVERY_S, PAUSE_S, PORTION, Retention
from tests.server.prompts.virtual import VirtualTime


class Store:
    """Holds so many old conferences; may be out of order for a while."""

    def __init__(self, time: VirtualTime, old: int, failures: int = 0) -> None:
        self._time = time
        self.old = old
        self.failures = failures
        self.asked: list[tuple[float, float]] = []
        """When, and before which time."""

    async def prune(self, before: float, limit: int) -> int:
        self.asked.append((self._time.now(), before))
        if self.failures:
            self.failures -= 1
            raise JournalUnavailable("disk full")
        portion = min(limit, self.old)
        self.old -= portion
        return portion


async def run(store: Store, time: VirtualTime, days: float, seconds: float) -> bool:
    """Let so much time pass; return whether it has ended by itself."""
    running = asyncio.get_running_loop().create_task(Retention(store, time.now, days, time.sleep).run())
    await time.pass_by(seconds)
    ended = running.done()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return ended


async def test_what_is_old_is_forgotten_in_portions_with_pauses_between() -> None:
    time = VirtualTime()
    store = Store(time, old=2 * PORTION + 1)
    assert not await run(store, time, days=90, seconds=60)
    assert store.old == 0
    assert [when for when, _ in store.asked] == [0, PAUSE_S, 2 * PAUSE_S, 3 * PAUSE_S]
    assert {before for _, before in store.asked} == {-90 * DAY_S}


async def test_it_looks_again_every_hour() -> None:
    time = VirtualTime()
    store = Store(time, old=0)
    await run(store, time, days=0.5, seconds=2.5 * EVERY_S)
    assert store.asked == [(hours * EVERY_S, hours * EVERY_S - DAY_S / 2) for hours in (0, 1, 2)]


async def test_a_journal_that_cannot_be_written_is_tried_again_an_hour_later() -> None:
    time = VirtualTime()
    store = Store(time, old=3, failures=1)
    await run(store, time, days=1, seconds=1.5 * EVERY_S)
    assert store.old == 0 and [when for when, _ in store.asked][:2] == [0, EVERY_S]


async def test_nothing_is_forgotten_if_everything_is_to_be_kept() -> None:
    time = VirtualTime()
    store = Store(time, old=3)
    assert await run(store, time, days=0, seconds=3 * EVERY_S)
    assert store.asked == []
