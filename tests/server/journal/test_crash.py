"""A process that is killed while it writes forgets nothing it was told is written."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from server.conference.model import Conference
from server.conference.views import summarize
from server.journal import Journal

ROOT = Path(__file__).parents[3]

WRITING = """
import asyncio, sys
from server.conference.commands import Update
from server.journal import Journal
from tests.server.journal.recorder import Recorded

async def main():
    journal = Journal(sys.argv[1])
    await journal.open()
    recorded = Recorded(journal)
    await recorded.join("a")
    muted = True
    while True:
        await recorded.do(Update("a", muted=muted))
        muted = not muted
        print(recorded.conference.sequence, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 20, 57])
def test_what_was_acknowledged_is_there_after_a_kill(url: str, acknowledged: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITING, url], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writing:
        assert writing.stdout is not None
        told = [int(writing.stdout.readline()) for _ in range(acknowledged)]
        writing.kill()
        told += [int(line) for line in writing.stdout if line.endswith("\n")]
    stored, conference = asyncio.run(read_back(url))
    assert stored == list(range(1, len(stored) + 1))
    # One more may have been written than could still be told.
    assert told[-1] <= len(stored) <= told[-1] + 1
    assert (conference.sequence, conference.size) == (len(stored), 1)


async def read_back(url: str) -> tuple[list[int], Conference]:
    journal = Journal(url)
    await journal.open()
    try:
        stored = [wire["sequence"] for wire in await journal.events("conf-1", limit=100_000)]
        conference = await journal.load("conf-1")
        summary = await journal.summary("conf-1")
    finally:
        await journal.close()
    assert conference is not None
    assert summary == summarize(conference)
    return stored, conference
