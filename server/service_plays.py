"""Clips played beside the mix of one conference: each `play` lasts as long as the clip does.

What is played, and to whom, is decided by who calls: `service_announcements` and `service_sounds`.
"""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Unpack

from server.mixers.errors import MixerGone
from server.mixers.handle import MixerHandle, PlayOptions
from server.mixers.lending import LentClips
from server.prompts.clip import Clip
from server.tasks import Tasks


class Plays:
    """What plays now in one mixer."""

    def __init__(self, mixer: MixerHandle, clips: LentClips, tasks: Tasks, new_id: Callable[[], str]) -> None:
        self._mixer = mixer
        self._clips = clips
        self._tasks = tasks
        self._new_id = new_id
        self._playing: dict[str, asyncio.Future[None]] = {}

    async def play(self, clip: Clip, rates: Collection[int], **options: Unpack[PlayOptions]) -> None:
        """Play a clip to legs of these rates and return when it has ended; if cancelled, it ends at once.

        Raises MixerGone or MixerRefused. Of a mixer that dies meanwhile nothing is heard: then it is for the caller
        to be cancelled.
        """
        play_id = self._new_id()
        ended = self._playing[play_id] = asyncio.get_running_loop().create_future()
        try:
            async with self._clips.using(clip, rates):
                await self._mixer.play_clip(play_id, clip.clip_id, **options)
                await ended
        except asyncio.CancelledError:
            if self._mixer.alive:
                self._tasks.spawn(self._stop(play_id), "stop a clip")
            raise
        finally:
            del self._playing[play_id]

    def ended(self, play_id: str) -> None:
        """Take from the mixer that a clip is over."""
        playing = self._playing.get(play_id)
        if playing is not None and not playing.done():
            playing.set_result(None)

    async def _stop(self, play_id: str) -> None:
        with suppress(MixerGone):
            await self._mixer.stop_clip(play_id)
