"""When old conferences are forgotten, on virtual time."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from server.journal import JournalUnavailable
from server.retention import DAY_S, EVERY_S, PAUSE_S, PORTION, Retention
from tests.server.prompts.virtual import VirtualTime
from tests.support.api import serving


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


async def listed(data_dir: Path, **settings: Any) -> list[str]:
    """Start a server on what earlier ones left, and return the names of the conferences it still knows in the end."""
    async with serving(data_dir, **settings) as api:
        for _ in range(40):
            names = [conference["name"] for conference in (await api.get("/v1/conferences"))["conferences"]]
            if "old" not in names:
                break
            await asyncio.sleep(0.005)
        return names


async def test_a_server_forgets_what_ended_longer_ago_than_its_setting_says(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        now = api.clock.wall_s
        for name, ended_days_ago in (("old", 31), ("young", 29)):
            api.clock.wall_s = now - ended_days_ago * DAY_S
            await api.enter(name)
            await api.post(f"/v1/conferences/{name}/end")
    assert await listed(tmp_path, events_retention_days=0) == ["young", "old"]
    assert await listed(tmp_path) == ["young", "old"]
    assert await listed(tmp_path, events_retention_days=30) == ["young"]
