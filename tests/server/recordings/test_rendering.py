"""Other formats are made by children, once for all who ask, and not too many are kept."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from recording.catalog import Format, Manifest, render_path
from server import children
from server.children import Ended
from server.errors import ParleyError
from server.recordings.rendering import MOST_KEPT, Renderer
from server.tasks import Tasks
from tests.server.recordings.making import finished


class Children:
    """Counts the children it runs, or has them fail."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []
        self.ends: Ended | Exception | None = None

    async def __call__(self, command: Sequence[str], deadline_s: float) -> Ended:
        self.commands.append(command)
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends or await children.run(command, deadline_s)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.cancel_all()


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return finished(tmp_path)


async def nothing() -> None:
    """Everything is there already."""


async def test_two_who_ask_at_once_get_the_work_of_one_child(tmp_path: Path, manifest: Manifest, tasks: Tasks) -> None:
    ran = Children()
    renderer = Renderer(tmp_path, tasks, ran)
    await asyncio.gather(*(renderer.render(manifest, "flac", None, nothing) for _ in range(2)))
    assert len(ran.commands) == 1
    assert render_path(tmp_path, manifest, "flac").read_bytes().startswith(b"fLaC")


async def test_each_view_is_work_of_its_own(tmp_path: Path, manifest: Manifest, tasks: Tasks) -> None:
    ran = Children()
    renderer = Renderer(tmp_path, tasks, ran)
    views: list[tuple[Format, str | None]] = [("wav", "anna"), ("wav", "ben")]
    await asyncio.gather(*(renderer.render(manifest, form, left, nothing) for form, left in views))
    assert len(ran.commands) == 2
    assert all(render_path(tmp_path, manifest, form, left).exists() for form, left in views)


@pytest.mark.parametrize(
    "ends", [Ended(-9, "", ""), Ended(1, "", "No space left on device"), TimeoutError(), OSError("no process")]
)
async def test_a_child_that_fails_can_be_tried_again(
    tmp_path: Path, manifest: Manifest, tasks: Tasks, ends: Ended | Exception
) -> None:
    ran = Children()
    renderer = Renderer(tmp_path, tasks, ran)
    ran.ends = ends
    with pytest.raises(ParleyError) as refusal:
        await renderer.render(manifest, "flac", None, nothing)
    assert (refusal.value.code, refusal.value.status) == ("render_failed", 503)
    ran.ends = None
    await renderer.render(manifest, "flac", None, nothing)
    assert render_path(tmp_path, manifest, "flac").exists()


async def test_what_it_is_made_of_comes_first(tmp_path: Path, manifest: Manifest, tasks: Tasks) -> None:
    ran = Children()

    async def missing() -> None:
        raise ParleyError("recording_unavailable", "the bucket does not answer")

    with pytest.raises(ParleyError, match="bucket"):
        await Renderer(tmp_path, tasks, ran).render(manifest, "flac", None, missing)
    assert ran.commands == []


async def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, manifest: Manifest, tasks: Tasks) -> None:
    made = render_path(tmp_path, manifest, "flac")
    made.parent.mkdir()
    names = [f"split-{number}.mp3" for number in range(MOST_KEPT + 1)]
    for age, name in enumerate([*names, "audio.ogg.tmp"]):
        (made.parent / name).write_bytes(b"")
        os.utime(made.parent / name, (1000 - age, 1000 - age))
    await Renderer(tmp_path, tasks).render(manifest, "flac", None, nothing)
    left = {path.name for path in made.parent.iterdir()}
    assert left == {"audio.flac", "audio.ogg.tmp", *names[: MOST_KEPT - 1]}
