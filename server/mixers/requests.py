"""Which questions to a mixer are still open, and what answers each.

Ids are made here. Sending the question and losing patience with the mixer are `handle`'s business.
"""

import asyncio
import itertools
from dataclasses import dataclass, field
from typing import Final

from mixer.protocol import Done, LegRemoved, LegStats, MixerStats, Refused, Stats
from server.mixers.errors import MixerGone, MixerRefused

Answer = Done | LegRemoved | tuple[list[LegStats], MixerStats | None]


@dataclass(slots=True)
class _Open:
    answer: asyncio.Future[Answer]
    calls: list[LegStats] = field(default_factory=list)
    """Parts of a run of `Stats` so far."""


class Requests:
    """Open requests of one mixer."""

    def __init__(self) -> None:
        self._ids: Final = itertools.count(1)
        self._open: dict[int, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def new_id(self) -> int:
        """An id for a request whose answer nobody waits for."""
        return next(self._ids)

    def open(self) -> tuple[int, asyncio.Future[Answer]]:
        """A new request: its id, and the future that `answer` or `fail_all` completes."""
        request_id = self.new_id()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[request_id] = _Open(answer)
        return request_id, answer

    def forget(self, request_id: int) -> None:
        """Nobody waits for it any more; a late answer is ignored."""
        self._open.pop(request_id, None)

    def answer(self, report: Done | Refused | LegRemoved | Stats) -> None:
        """Complete the request that `report` answers."""
        request = self._open.get(report.request_id)
        if request is None or request.answer.done():
            return
        if isinstance(report, Refused):
            request.answer.set_exception(MixerRefused(report.reason))
        elif isinstance(report, Stats):
            request.calls += report.calls
            if report.last:
                request.answer.set_result((request.calls, report.mixer))
        else:
            request.answer.set_result(report)

    def fail_all(self, reason: str) -> None:
        """The mixer will not answer: everybody waiting gets MixerGone."""
        for request in self._open.values():
            if not request.answer.done():
                request.answer.set_exception(MixerGone(reason))
        self._open.clear()
