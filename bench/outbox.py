"""Journal and sender without the rest of the server, in one process on one core: how fast they are by themselves.

`python -m bench.outbox JOB` prints what it measured in JSON. Conferences are made by the server's own rules, events
logged and delivered by its journal and its sender over its guarded client; nothing is left out but HTTP and sound.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog

from bench.machine import pin
from bench.pinned import ROOT
from server import clock
from server.conference.callbacks import Callback
from server.conference.commands import Command, Join, Update
from server.conference.decide import decide
from server.conference.log import LoggedEvent, enact
from server.conference.model import Conference
from server.conference.wire import Origin
from server.journal import Journal
from server.urls.allowance import Allowance
from server.urls.client import GuardedClient
from server.webhooks.plan import plan
from server.webhooks.sender import Sender

_ORIGIN: Final = Origin("bench", "parley")
_WARM_UP_S: Final = 1.0
_AFTER_S: Final = 2.0
"""For what is still under way when a paced job ends."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to do; `urls`: of endpoints, each with `conferences` conferences; none: nobody is told."""

    what: str
    """`commit`: log as fast as can be. `deliver`: send what waits. `pace`: `rate` events a second, sent at once."""
    conferences: int
    urls: tuple[str, ...] = ()
    events: int = 0
    """Of each conference, for `deliver`."""
    seconds: float = 0.0
    rate: float = 0.0
    core: int | None = None


def run(job: Job) -> dict[str, Any]:
    """Have a job done by a process of its own; return what it measured."""
    command = [sys.executable, "-m", "bench.outbox", json.dumps(asdict(job))]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


class Talk:
    """A conference of one participant, who is muted and unmuted; each time that is one event."""

    def __init__(self, journal: Journal, url: str | None) -> None:
        self._journal = journal
        self._conference: Conference | None = None
        self._conference_id, self._call_id = str(uuid.uuid4()), str(uuid.uuid4())
        self._callback = None if url is None else Callback(url, ("start", "end", "join", "mute"))
        self._muted = False
        self._lock = asyncio.Lock()

    async def begin(self) -> list[int]:
        join = Join(
            conference_id=self._conference_id,
            name=f"bench-{self._conference_id}",
            project_id="bench",
            call_id=self._call_id,
            callback=self._callback,
        )
        return await self._log([join])

    async def change(self, times: int = 1) -> list[int]:
        """Log so many events in one write; return the lanes that have something to send."""
        commands = []
        for _ in range(times):
            self._muted = not self._muted
            commands.append(Update(self._call_id, muted=self._muted))
        return await self._log(commands)

    async def _log(self, commands: Sequence[Command]) -> list[int]:
        async with self._lock:
            conference, entries = self._conference, list[LoggedEvent]()
            for command in commands:
                events = decide(conference, command, clock.now())
                conference, logged = enact(conference, events, lambda: str(uuid.uuid4()), _ORIGIN)
                entries += logged
            assert conference is not None
            deliveries = plan(conference.settings, [entry.wire for entry in entries])
            lane_ids = await self._journal.append(conference, entries, deliveries)
            self._conference = conference
            return lane_ids


async def measure(job: Job, folder: str) -> dict[str, Any]:
    """Do a job in an empty folder."""
    journal = Journal(f"{folder}/parley.db")
    await journal.open()
    try:
        urls = job.urls or (None,)
        talks = [Talk(journal, url) for _ in range(job.conferences) for url in urls]
        async with aclosing(GuardedClient(Allowance(everything=True))) as client:
            sender = Sender(journal, client, clock, secret="a secret of the bench")
            match job.what:
                case "commit":
                    return await _commit(talks, job.seconds)
                case "deliver":
                    return await _deliver(talks, sender, job.events)
                case _:
                    return await _pace(talks, sender, job)
    finally:
        await journal.close()


async def _commit(talks: list[Talk], seconds: float) -> dict[str, Any]:
    """All conferences at once log one event after the other, each as soon as the one before is on the disk."""
    for talk in talks:
        await talk.begin()
    events, until = 0, clock.monotonic() + seconds

    async def go_on(talk: Talk) -> None:
        nonlocal events
        while clock.monotonic() < until:
            await talk.change()
            events += 1

    begun, used_s = clock.monotonic(), time.process_time()
    await asyncio.gather(*map(go_on, talks))
    took_s = clock.monotonic() - begun
    return {"events_per_s": events / took_s, "core": (time.process_time() - used_s) / took_s}


async def _deliver(talks: list[Talk], sender: Sender, events: int) -> dict[str, Any]:
    """Let much wait, then send it all."""
    for talk in talks:
        await talk.begin()
        await talk.change(events)
    # The join and the start are delivered as well.
    total = len(talks) * (events + 2)
    begun, used_s = clock.monotonic(), time.process_time()
    sender.start()
    while sender.counters.delivered < total:  # noqa: ASYNC110 (the sender tells nobody)
        await asyncio.sleep(0.01)
    took_s = clock.monotonic() - begun
    used_s = time.process_time() - used_s
    await sender.stop()
    return {"deliveries": total, "deliveries_per_s": total / took_s, "core": used_s / took_s}


async def _pace(talks: list[Talk], sender: Sender, job: Job) -> dict[str, Any]:
    """Log events at a steady pace, each in the next conference, and send each as the server does."""
    sender.start()
    for talk in talks:
        sender.notify(await talk.begin())
    events, begun, counted_from = 0, clock.monotonic(), clock.now() + _WARM_UP_S
    async with asyncio.TaskGroup() as group:

        async def happen(talk: Talk) -> None:
            sender.notify(await talk.change())

        while clock.monotonic() - begun < _WARM_UP_S + job.seconds:
            due = begun + events / job.rate
            await asyncio.sleep(max(0.0, due - clock.monotonic()))
            group.create_task(happen(talks[events % len(talks)]))
            events += 1
    await asyncio.sleep(_AFTER_S)
    await sender.stop(grace_s=0)
    return {"events": events, "delivered": sender.counters.delivered, "counted_from": counted_from}


def main() -> None:
    told = json.loads(sys.argv[1])
    job = Job(**told | {"urls": tuple(told["urls"])})
    pin(job.core)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        print(json.dumps(asyncio.run(measure(job, folder))))


if __name__ == "__main__":
    main()
