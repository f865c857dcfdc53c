"""The journal as the server uses it: asynchronous, so that no disk ever holds up the event loop.

Writes go through one thread (`writer`), reads through another; a read sees every write awaited before it.
What is written is decided elsewhere; that it is complete, in order and on disk is decided here.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from server.conference.log import LoggedEvent
from server.conference.model import Conference
from server.conference.views import ConferenceSummary, summarize
from server.journal import history, idempotency, outbox, recordings, retention, waiting
from server.journal.database import BUSY_TIMEOUT_MS, make_engine, parse_url, place, prepare_schema
from server.journal.errors import JournalUnavailable, SequenceConflict, unavailable_if_broken
from server.journal.idempotency import RememberedAnswer
from server.journal.recording_rows import RecordingRows
from server.journal.writer import Writer
from server.webhooks.model import Delivery, DeliveryRecord, DeliveryState, LaneDue, NewDelivery, Settled

T = TypeVar("T")

DEFAULT_LIMIT: Final = 1_000


class Journal(RecordingRows):
    """The log of one server, and the `Outbox` of its webhooks.

    `open` comes first and `close` last. Every method raises `JournalUnavailable` if the database cannot be
    used; after that it may be tried again. A write that was begun is finished even if the task that awaits it
    is cancelled, so whoever appends must not be cancelled before it has taken over what it logged.
    """

    def __init__(self, url: str, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        """`url` is that of an SQLite file, or its path, or of a PostgreSQL database; nothing is done before `open`."""
        self._url = parse_url(url)
        self._where = place(self._url)
        self._write_engine = make_engine(self._url, writes=True, busy_timeout_ms=busy_timeout_ms)
        self._read_engine = make_engine(self._url, writes=False, busy_timeout_ms=busy_timeout_ms)
        self._writer = Writer(self._write_engine, self._where, self._in_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="journal-reader")
        self._closed = False

    async def open(self) -> None:
        """Create or check the tables; `JournalTooNew` if a newer version made them."""
        await self._on_reader(self._prepare)
        self._loop = asyncio.get_running_loop()
        self._writer.start()

    async def close(self) -> None:
        """Finish the writes that wait and close the database. May be called twice, and without `open`."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._shut)

    async def append(
        self, conference: Conference, entries: Sequence[LoggedEvent], deliveries: Sequence[NewDelivery] = ()
    ) -> list[int]:
        """Log entries in one transaction with the conference's row as they left it, and who is to be told of them.

        Returns the lanes that have something more to be sent. Raises `SequenceConflict` unless the entries follow on
        what is logged of the conference and lead up to it, `ValueError` for a delivery of another event.
        """
        told = outbox.of_entries(entries)
        if any(delivery.event_id not in told for delivery in deliveries):
            raise ValueError(f"a delivery of {conference.conference_id} is of an event that is not logged with it")
        if not entries:
            return []
        expected = range(conference.sequence - len(entries) + 1, conference.sequence + 1)
        if [entry.sequence for entry in entries] != list(expected):
            raise SequenceConflict(f"entries of {conference.conference_id} do not lead up to its sequence")
        summary = summarize(conference)

        def write(connection: Connection) -> list[int]:
            history.write(connection, summary, entries)
            recordings.write(connection, conference, entries)
            return outbox.put(connection, summary.conference_id, summary.project_id, told, deliveries)

        def take_back(connection: Connection) -> None:
            history.take_back(connection, summary.conference_id, entries)
            left = history.fold(connection, summary.conference_id)
            recordings.take_back(connection, summary.conference_id, left)

        try:
            return await self._write(write, take_back)
        except IntegrityError as error:
            raise SequenceConflict(f"the log of {conference.conference_id}: {error.orig}") from error

    async def add_deliveries(self, conference_id: str, deliveries: Sequence[NewDelivery], now: float) -> list[int]:
        """Let logged events of a conference be told once more, from `now` (Unix seconds) on; return their lanes.

        What waits in these lanes is due now as well, and a lane that was closed is open again. Raises `LookupError`
        if the conference has not logged such an event.
        """
        return await self._write(lambda connection: outbox.put_again(connection, conference_id, deliveries, now))

    async def lanes_due(self) -> list[LaneDue]:
        """Return every lane with something pending, with the time its head is due; the first due first."""
        return await self._read(waiting.lanes_due)

    async def heads(self, lane_ids: Sequence[int], most_each: int) -> dict[int, list[Delivery]]:
        """Return the first pending deliveries of lanes, in order; a lane without any is left out."""
        return await self._read(lambda connection: waiting.heads(connection, lane_ids, most_each))

    async def settle(self, settled: Sequence[Settled]) -> None:
        """Write what came of attempts, in one transaction. A delivery that is no longer pending stays as it is."""
        await self._write(lambda connection: outbox.settle(connection, settled))

    async def list_deliveries(
        self,
        project_id: str,
        *,
        conference_id: str | None = None,
        state: DeliveryState | None = None,
        limit: int = DEFAULT_LIMIT,
        before: int | None = None,
    ) -> list[DeliveryRecord]:
        """Return a project's deliveries, the newest first, of a conference or any, in a state or any.

        `before` is the id of the last one of the page before.
        """
        return await self._read(
            lambda connection: waiting.newest(connection, project_id, conference_id, state, limit, before)
        )

    async def live_events(
        self, project_id: str, after_position: int, limit: int = DEFAULT_LIMIT
    ) -> list[tuple[int, dict[str, Any]]]:
        """Return EVENTs of all conferences of a project behind a position, each with its own, as they were written."""
        return await self._read(lambda connection: history.live(connection, project_id, after_position, limit))

    async def position_of(self, event_id: str, project_id: str) -> int | None:
        """Return the position of a project's event; None: there is no such event, or no longer."""
        return await self._read(lambda connection: history.position_of(connection, event_id, project_id))

    async def newest_event(self, project_id: str) -> tuple[int, str] | None:
        """Return the position and the id of a project's last event; None: it has none."""
        return await self._read(lambda connection: history.newest_event(connection, project_id))

    async def prune(self, before: float, limit: int) -> int:
        """Forget up to `limit` conferences that ended before (Unix seconds), with their events and deliveries.

        Returns how many they were. A conference of which somebody is still to be told something is kept.
        """
        return await self._write(lambda connection: retention.prune(connection, before, limit))

    async def events(self, conference_id: str, after: int = 0, limit: int = DEFAULT_LIMIT) -> list[dict[str, Any]]:
        """Return up to `limit` EVENTs with a sequence above `after`, in order."""
        return await self._read(lambda connection: history.wires(connection, conference_id, after, limit))

    async def load(self, conference_id: str) -> Conference | None:
        """Rebuild a conference from its log; who was connected is `connecting` again. None: there is none."""
        return await self._read(lambda connection: history.fold(connection, conference_id))

    async def summary(self, conference_id: str) -> ConferenceSummary | None:
        """Return what lists show of one conference."""
        return await self._read(lambda connection: history.summary_of(connection, conference_id))

    async def list_conferences(
        self,
        status: str | None = None,
        name: str | None = None,
        limit: int = DEFAULT_LIMIT,
        *,
        project_id: str | None = None,
        before: ConferenceSummary | None = None,
    ) -> list[ConferenceSummary]:
        """Return conferences, the newest first, of a status (`init`, `in-progress`, `completed`) or any.

        `before` is the last one of the page before; what follows on it is returned, whatever has begun since.
        """
        return await self._read(lambda connection: history.newest(connection, status, name, limit, project_id, before))

    async def open_conferences(self) -> list[str]:
        """Return the ids of conferences that have not ended, the oldest first."""
        return await self._read(history.not_ended)

    async def recall(self, key: str, scope: str, now: float) -> RememberedAnswer | None:
        """Return the first answer under an `Idempotency-Key` within its scope (who, method and path)."""
        return await self._read(lambda connection: idempotency.recall(connection, key, scope, now))

    async def remember(self, key: str, scope: str, answer: RememberedAnswer, now: float) -> None:
        """Keep the first answer under an `Idempotency-Key` for 24 hours from `now` (Unix seconds)."""
        await self._write(lambda connection: idempotency.remember(connection, key, scope, answer, now))

    async def _write(
        self, run: Callable[[Connection], T], take_back: Callable[[Connection], object] | None = None
    ) -> T:
        # Not `asyncio.wrap_future`: it wakes the loop for each write, not once for all that were committed together.
        written: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(run, take_back).add_done_callback(partial(_pass_on, written))
        return await written

    async def _read(self, run: Callable[[Connection], T]) -> T:
        def within_transaction() -> T:
            with unavailable_if_broken(self._where), self._read_engine.begin() as connection:
                return run(connection)

        return await self._on_reader(within_transaction)

    async def _on_reader(self, run: Callable[[], T]) -> T:
        if self._closed:
            raise JournalUnavailable(f"the journal at {self._where} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._reader, run)

    def _in_loop(self, complete: Callable[[], None]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(complete)

    def _prepare(self) -> None:
        with unavailable_if_broken(self._where):
            prepare_schema(self._write_engine, self._url)

    def _shut(self) -> None:
        self._writer.stop()
        self._reader.shutdown()
        # The last connection to go folds the write-ahead log into the file.
        self._read_engine.dispose()
        self._write_engine.dispose()


def _pass_on(written: asyncio.Future[T], write: Future[T]) -> None:
    """Tell who awaits a write what came of it, unless it was cancelled; within the event loop."""
    if written.done():
        return
    failure = write.exception()
    if failure is None:
        written.set_result(write.result())
    else:
        written.set_exception(failure)
