"""Other formats of a recording, made when somebody asks for them and kept beside it for who asks next.

Decides that one child makes one file for all who wait for it, how many children there are at once, and how many
rendered files a recording keeps. What a format is made of is decided in `recording.render`.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from recording.catalog import Format, Manifest, render_command, render_path
from server import children
from server.errors import ParleyError
from server.recordings.flights import Flights
from server.tasks import Tasks

log = structlog.get_logger(__name__)

AT_ONCE: Final = 2
DEADLINE_S: Final = 3600.0
"""A recording of a day takes minutes; what takes longer hangs."""
MOST_KEPT: Final = 8
"""Rendered files of one recording: all formats of the room, and some views of single participants."""


class Renderer:
    """Renders recordings that lie in `directory`."""

    def __init__(self, directory: Path, tasks: Tasks, run: children.Run = children.run) -> None:
        self._directory = directory
        self._run = run
        self._flights = Flights(tasks, AT_ONCE)

    async def render(
        self, manifest: Manifest, form: Format, left_call_id: str | None, prepare: Callable[[], Awaitable[object]]
    ) -> None:
        """Make a file unless it is there; `prepare` brings what it is made of into the recording's folder.

        Raises `ParleyError` (render_failed), and whatever `prepare` does.
        """
        path = render_path(self._directory, manifest, form, left_call_id)

        async def work() -> None:
            await prepare()
            await self._render(manifest.recording_id, form, left_call_id)
            await asyncio.to_thread(_forget_oldest, path)

        await self._flights.join(path, work, f"render {manifest.recording_id}")

    async def _render(self, recording_id: str, form: Format, left_call_id: str | None) -> None:
        command = render_command(self._directory, recording_id, form, left_call_id)
        try:
            ended = await self._run(command, DEADLINE_S)
        except (TimeoutError, OSError) as error:
            log.error("render_failed", recording_id=recording_id, format=form, reason=str(error) or "timeout")
            raise _failed(recording_id, form) from error
        if ended.status != 0:
            log.error("render_failed", recording_id=recording_id, format=form, reason=ended.words)
            raise _failed(recording_id, form)


def _failed(recording_id: str, form: str) -> ParleyError:
    return ParleyError("render_failed", f"the recording {recording_id!r} could not be rendered as {form} now")


def _forget_oldest(made: Path) -> None:
    """Remove the oldest of a recording's rendered files, never the one just made, until few enough are left."""
    with contextlib.suppress(OSError):  # a recording that is being deleted takes its files with it
        rendered = [(path.stat().st_mtime_ns, path) for path in made.parent.iterdir() if path.suffix != ".tmp"]
        for _, path in sorted(rendered)[: max(0, len(rendered) - MOST_KEPT)]:
            if path != made:
                path.unlink(missing_ok=True)
