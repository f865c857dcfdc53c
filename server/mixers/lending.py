"""The clips that one mixer has been lent: each once at each rate, and returned when nobody uses it any more.

What is played of them, and to whom, is for others. A mixer that is gone has no clips, so nothing is asked of it.
"""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import structlog

from server.mixers.errors import MixerGone, MixerRefused
from server.mixers.handle import MixerHandle
from server.prompts.clip import Clip
from server.tasks import Tasks

log = structlog.get_logger(__name__)


class LentClips:
    """Lends clips to one mixer."""

    def __init__(self, mixer: MixerHandle, tasks: Tasks) -> None:
        self._mixer = mixer
        self._tasks = tasks
        self._users: Counter[str] = Counter()
        self._rates: dict[str, set[int]] = {}
        """What the mixer has: the rates of each clip, by its id."""
        self._order = asyncio.Lock()
        """Lending and returning take turns, so that a clip is never returned under its next user."""

    @asynccontextmanager
    async def using(self, clip: Clip, rates: Collection[int]) -> AsyncIterator[None]:
        """Have the mixer hold `clip` at these rates for as long as the context lasts.

        Raises MixerGone or MixerRefused. Leaving the context ends what is still playing of the clip, unless others
        use it too; whoever has another clip follow enters that one's context first.
        """
        self._users[clip.clip_id] += 1
        try:
            # Carried through, whoever waits: half-way nobody would know what the mixer has. The copies outlive the
            # clip, whose own descriptors are closed once the one who waits has let go of it.
            copies = {rate: os.dup(clip.fds[rate]) for rate in set(rates)}
            await self._tasks.finish(self._lend(clip, copies), "lend a clip")
            yield
        finally:
            self._users[clip.clip_id] -= 1
            if not self._users[clip.clip_id]:
                del self._users[clip.clip_id]
                self._tasks.spawn(self._return(clip.clip_id), "return a clip")

    async def _lend(self, clip: Clip, copies: Mapping[int, int]) -> None:
        try:
            async with self._order:
                for rate in sorted(set(copies) - self._rates.get(clip.clip_id, set())):
                    await self._mixer.lend_clip(clip.clip_id, rate, clip.samples[rate], copies[rate])
                    self._rates.setdefault(clip.clip_id, set()).add(rate)
        finally:
            for fd in copies.values():
                os.close(fd)

    async def _return(self, clip_id: str) -> None:
        async with self._order:
            if clip_id in self._users or clip_id not in self._rates:
                return
            del self._rates[clip_id]
            with contextlib.suppress(MixerGone):
                try:
                    await self._mixer.return_clip(clip_id)
                except MixerRefused as error:
                    log.error("clip_not_returned", clip_id=clip_id, reason=error.reason)
