"""The lobby: the mixer that keeps calls alive which are in no conference. They hear silence and nobody hears them.

If its process dies, another takes its place and is given the same sockets; callers notice a gap. Whoever calls
`admit`, `take_back` or `release` holds the call's lock.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from mixer.protocol import MixerConfig
from server.calls import legs
from server.calls.model import Call
from server.calls.registry import Calls
from server.errors import ParleyError
from server.mixers.errors import LaunchFailed, MixerGone, MixerRefused
from server.mixers.handle import MixerHandle, News
from server.mixers.supervisor import Mixers
from server.tasks import Tasks

log = structlog.get_logger(__name__)

NAME: Final = "lobby"
RETRY_S: Final = 1.0
"""Pause between attempts to get another mixer."""


class Lobby:
    """Holds the calls that are in no conference."""

    def __init__(
        self,
        mixers: Mixers,
        calls: Calls,
        tasks: Tasks,
        config: MixerConfig,
        *,
        media_timeout_s: float,
        monotonic: Callable[[], float],
        on_news: Callable[[News], None],
        on_lost: Callable[[Call], None],
    ) -> None:
        """`config` is what its mixer is told at birth.

        `on_lost` is told of a call that no mixer wants; it is not in the lobby any more.
        """
        self._mixers = mixers
        self._calls = calls
        self._tasks = tasks
        self._config = config
        self._media_timeout_s = media_timeout_s
        self._monotonic = monotonic
        self._on_news = on_news
        self._on_lost = on_lost
        self._mixer: MixerHandle | None = None
        self._inside: dict[str, Call] = {}
        self._placed: set[str] = set()
        """Calls that have a leg in the mixer of now; the others wait for the next."""
        self._stopping = False

    @property
    def up(self) -> bool:
        """True while the lobby's mixer takes calls."""
        return self._mixer is not None and self._mixer.alive

    def __contains__(self, call: Call) -> bool:
        return call.call_id in self._inside

    async def start(self) -> None:
        """Launch the lobby's mixer; raises `LaunchFailed`."""
        self._placed.clear()
        self._mixer = await self._mixers.launch(self._config, self._on_report, self._on_exit)

    async def admit(self, call: Call) -> None:
        """Take a call in; raise `ParleyError` (mixer_unavailable) if it cannot be."""
        try:
            await self._place(call)
        except (MixerGone, MixerRefused) as error:
            raise ParleyError("mixer_unavailable", f"the lobby cannot take the call: {error}") from error
        self._inside[call.call_id] = call

    async def take_back(self, call: Call) -> None:
        """Take in a call that is not to be lost: if the mixer is dead, the next one gets it.

        Raises `MixerRefused` if a mixer that lives does not want it.
        """
        self._inside[call.call_id] = call
        try:
            await self._place(call)
        except MixerGone as error:
            log.warning("call_waits_for_lobby", call_id=call.call_id, reason=str(error))
        except MixerRefused:
            del self._inside[call.call_id]
            raise

    async def release(self, call: Call, *, bye: bool = False) -> None:
        """Let a call go; its outgoing stream and learnt address are up to date afterwards."""
        if self._inside.pop(call.call_id, None) is None:
            return
        mixer = self._mixer if call.call_id in self._placed else None
        self._placed.discard(call.call_id)
        await legs.take(mixer, call, bye=bye, monotonic=self._monotonic())

    async def stop(self) -> None:
        """Stop the lobby's mixer; every call still in it gets a BYE."""
        self._stopping = True
        if self._mixer is not None and self._mixer.alive:
            await self._mixer.stop()

    async def _place(self, call: Call) -> None:
        mixer = self._mixer
        if mixer is None:
            raise MixerGone("the lobby has no mixer")
        await legs.add(mixer, call, legs.SILENT, media_timeout_s=self._media_timeout_s, monotonic=self._monotonic())
        if mixer is self._mixer:
            self._placed.add(call.call_id)

    def _on_report(self, _mixer: MixerHandle, news: News) -> None:
        self._on_news(news)

    def _on_exit(self, _mixer: MixerHandle, status: int | None) -> None:
        if not self._stopping:
            log.error("lobby_died", status=status, calls=len(self._inside))
            self._tasks.spawn(self._replace(), "replace the lobby")

    async def _replace(self) -> None:
        while not self._stopping:
            try:
                await self.start()
                break
            except LaunchFailed as error:
                log.error("lobby_not_replaced", reason=str(error))
                await asyncio.sleep(RETRY_S)
        while self.up and (waiting := [call for id_, call in self._inside.items() if id_ not in self._placed]):
            for call in waiting:
                await self._give_to_next(call)

    async def _give_to_next(self, call: Call) -> None:
        async with self._calls.lock(call):
            if call not in self or call.call_id in self._placed:
                return
            await legs.take(None, call, bye=False, monotonic=self._monotonic())
            try:
                await self.take_back(call)
            except MixerRefused as error:
                # No leg means no timeout either: the call would be up for ever.
                log.error("call_lost", call_id=call.call_id, reason=error.reason)
                self._on_lost(call)
