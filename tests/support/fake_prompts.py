"""Sounds for tests of the service: tiny clips, had at once, never, or not at all, as a test wants it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from server.conference.directives import Program
from server.conference.model import Announcement
from server.prompts.clip import RATES, Clip, clip_files, sealed_clip
from server.prompts.errors import PromptError
from server.service_prompts import Sink

SAMPLES_MS = 40


class FakePrompts:
    """Gives a clip for every URL, whose id is the URL; default music loops, what a URL names plays once and loops not.

    `hanging` URLs never answer, `broken` ones fail with the code they are mapped to.
    """

    def __init__(self) -> None:
        self.hanging: set[str] = set()
        self.broken: dict[str, str] = {}
        self.asked: list[str] = []
        """URLs and names of own sounds, as they were asked for."""
        self.in_use: list[str] = []
        self.performing: list[Program] = []
        self.started = self.closed = False
        self._clips: dict[str, Clip] = {}

    def start(self) -> None:
        self.started = True

    async def close(self) -> None:
        assert not self.in_use, "clips are still in use"
        for clip in self._clips.values():
            clip.close()
        self._clips.clear()
        self.closed = True

    @asynccontextmanager
    async def beep(self, kind: Literal["enter", "leave"]) -> AsyncIterator[Clip]:
        async with self._using(kind) as clip:
            yield clip

    @asynccontextmanager
    async def announcement(self, announcement: Announcement) -> AsyncIterator[Clip]:
        async with self._using(announcement.url) as clip:
            yield clip

    async def perform(self, program: Program, sink: Sink) -> None:
        self.performing.append(program)
        try:
            if program.url == "":
                await sink.silence()
                return
            name = program.url or "music"
            async with self._using(name) as clip:
                await sink.play(clip, loop=program.url is None)
            await sink.silence()
        finally:
            self.performing.remove(program)

    @asynccontextmanager
    async def _using(self, name: str) -> AsyncIterator[Clip]:
        self.asked.append(name)
        if name in self.hanging:
            await asyncio.Event().wait()
        if name in self.broken:
            raise PromptError(self.broken[name], "the test wants it so")
        if name not in self._clips:
            self._clips[name] = make_clip(name)
        self.in_use.append(name)
        try:
            yield self._clips[name]
        finally:
            self.in_use.remove(name)


def make_clip(name: str) -> Clip:
    with clip_files(RATES) as files:
        for rate, fd in files.items():
            os.write(fd, bytes(2 * rate * SAMPLES_MS // 1000))
        clip = sealed_clip(name, files)
        files.clear()
        return clip
