"""Clips lent to a mixer: once at each rate, for as long as anybody uses them."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import cast

import pytest

from mixer.protocol import MixerConfig
from server.mixers.errors import MixerGone
from server.mixers.handle import MixerHandle
from server.mixers.lending import LentClips
from server.prompts.clip import Clip
from server.tasks import Tasks
from tests.support.fake_mixers import FakeMixer
from tests.support.fake_prompts import make_clip


@pytest.fixture
def clip() -> Iterator[Clip]:
    made = make_clip("music")
    yield made
    made.close()


def lender() -> tuple[FakeMixer, LentClips, Tasks]:
    mixer, tasks = FakeMixer(MixerConfig("conf_1"), lambda *_: None, lambda *_: None), Tasks()
    return mixer, LentClips(cast(MixerHandle, mixer), tasks), tasks


async def settle(tasks: Tasks) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    assert not len(tasks)


async def test_a_clip_is_lent_once_at_each_rate_whoever_asks_at_once(clip: Clip) -> None:
    mixer, clips, tasks = lender()
    async with contextlib.AsyncExitStack() as users:
        users_of = (users.enter_async_context(clips.using(clip, [rate])) for rate in (8000, 8000, 48000, 8000))
        await asyncio.gather(*users_of)
        assert mixer.clips == {"music": {8000, 48000}} and mixer.lent == 2
    await settle(tasks)
    assert mixer.clips == {}


async def test_it_is_returned_after_its_last_user(clip: Clip) -> None:
    mixer, clips, tasks = lender()
    async with clips.using(clip, [8000]):
        async with clips.using(clip, [8000]):
            pass
        await settle(tasks)
        assert mixer.clips == {"music": {8000}}
    await settle(tasks)
    assert mixer.clips == {}


async def test_it_is_not_returned_under_a_next_user_who_comes_at_that_moment(clip: Clip) -> None:
    mixer, clips, tasks = lender()
    for _ in range(20):
        async with clips.using(clip, [8000]):
            assert mixer.clips == {"music": {8000}}
    async with clips.using(clip, [8000]):
        await settle(tasks)
        assert mixer.clips == {"music": {8000}}
    await settle(tasks)
    assert mixer.clips == {}


async def test_a_user_that_is_cancelled_while_it_waits_leaves_nothing_lent(clip: Clip) -> None:
    mixer, clips, tasks = lender()
    answer = asyncio.Event()
    lend = mixer.lend_clip

    async def slowly(clip_id: str, sample_rate: int, samples: int, fd: int) -> None:
        await answer.wait()
        await lend(clip_id, sample_rate, samples, fd)

    mixer.lend_clip = slowly  # type: ignore[method-assign]

    async def use() -> None:
        async with clips.using(clip, [8000]):
            raise AssertionError("it was never lent")

    user = tasks.spawn(use(), "user")
    await asyncio.sleep(0)
    user.cancel()
    await asyncio.sleep(0)
    answer.set()
    await settle(tasks)
    assert mixer.clips == {} and mixer.lent == 1


async def test_a_mixer_that_dies_takes_its_clips_along(clip: Clip) -> None:
    mixer, clips, tasks = lender()
    async with clips.using(clip, [8000]):
        mixer.alive = False
    await settle(tasks)
    with pytest.raises(MixerGone):
        async with clips.using(clip, [8000]):
            raise AssertionError("a dead mixer was lent something")
    await settle(tasks)
