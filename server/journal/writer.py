"""The one thread that writes to the journal: whatever waits for it goes into one transaction.

A commit costs a disk flush, so writes queue here instead of at the database, and those that came in while the last
commit flushed share the next one (group commit). That there is one writer only makes the order in which rows are
numbered the order in which they are committed.

A database that is locked or away is waited for. When that was in vain, and long, writes are refused at once for a
quarter of its time: of requests that follow one another, not each has to wait.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine

from server import clock
from server.journal.errors import JournalUnavailable, is_mistake, unavailable_if_broken

T = TypeVar("T")

MAX_GROUP: Final = 256
"""Writes in one transaction: enough to share the flush, few enough that none waits long for the others."""
LONG_WAIT_S: Final = 0.5
REST_OF_WAIT: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Work:
    run: Callable[[Connection], Any]
    future: Future[Any]
    take_back: Callable[[Connection], object] | None


_Outcome = tuple[Any, Exception | None]


def _here(complete: Callable[[], None]) -> None:
    complete()


class Writer:
    """Runs writes one after the other on its own thread, from `start` until `stop`."""

    def __init__(
        self,
        engine: Engine,
        where: str,
        hand_over: Callable[[Callable[[], None]], object] = _here,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        """`hand_over` runs a function where futures are to be completed, such as in an event loop, once for a group."""
        self._monotonic = monotonic
        self._rests_until = 0.0
        self._trouble = ""
        self._engine = engine
        self._where = where
        self._hand_over = hand_over
        self._works: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="journal-writer", daemon=True)
        self._lock = threading.Lock()
        self._stopped = False
        self._doubtful: list[Callable[[Connection], object]] = []

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(
        self, run: Callable[[Connection], T], take_back: Callable[[Connection], object] | None = None
    ) -> Future[T]:
        """Queue a write; the future is done when it is on disk, or holds why it is not.

        `run` gets a connection within a transaction that others share: it must neither commit nor roll back. It may be
        run twice; what its first run did is undone then. If it stays unknown whether a commit went through, the write
        has failed, and `take_back` undoes it, if there is anything to undo, before anything else is written.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._stopped:
                raise JournalUnavailable(f"the journal at {self._where} is closed")
            if self._monotonic() < self._rests_until:
                raise JournalUnavailable(self._trouble)
            self._works.put(_Work(run, future, take_back))
        return future

    def stop(self) -> None:
        """Write what is queued, then end the thread. Further writes are refused."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
            self._works.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _serve(self) -> None:
        serving = True
        while serving:
            group, serving = self._next_group()
            if group:
                self._commit(group)

    def _next_group(self) -> tuple[list[_Work], bool]:
        """Wait for a write; return it with those that wait behind it, and whether more may come."""
        group: list[_Work] = []
        work = self._works.get()
        while work is not None:
            if work.future.set_running_or_notify_cancel():
                group.append(work)
            if len(group) == MAX_GROUP or self._works.empty():
                return group, True
            work = self._works.get()
        return group, False

    def _commit(self, group: list[_Work]) -> None:
        outcomes: list[_Outcome]
        began = self._monotonic()
        try:
            with unavailable_if_broken(self._where):
                outcomes = self._write(group)
        except Exception as error:
            if isinstance(error, JournalUnavailable):
                self._rest_after(began, str(error))
            outcomes = [(None, error)] * len(group)

        def complete() -> None:
            for work, (result, failure) in zip(group, outcomes, strict=True):
                if failure is None:
                    work.future.set_result(result)
                else:
                    work.future.set_exception(failure)

        self._hand_over(complete)

    def _rest_after(self, began: float, trouble: str) -> None:
        now = self._monotonic()
        if now - began >= LONG_WAIT_S:
            self._trouble, self._rests_until = trouble, now + (now - began) * REST_OF_WAIT

    def _write(self, group: list[_Work]) -> list[_Outcome]:
        try:
            return self._transact(group, _run)
        except Exception as error:
            if not is_mistake(error):
                raise
        # Savepoints are dear and mistakes are few: only a group that holds one is written with them.
        return self._transact(group, _run_apart)

    def _transact(self, group: list[_Work], run: Callable[[Connection, _Work], _Outcome]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        try:
            with self._engine.begin() as connection:
                for take_back in self._doubtful:
                    take_back(connection)
                outcomes = [run(connection, work) for work in group]
        except Exception:
            # Outcomes are there: it was the commit that failed, and it may have gone through without an answer.
            written = [work for work, (_, failure) in zip(group, outcomes, strict=False) if failure is None]
            self._doubtful += [work.take_back for work in written if work.take_back is not None]
            raise
        self._doubtful.clear()
        return outcomes


def _run(connection: Connection, work: _Work) -> _Outcome:
    return work.run(connection), None


def _run_apart(connection: Connection, work: _Work) -> _Outcome:
    """Run one write within a savepoint, so that its mistake costs only itself."""
    try:
        with connection.begin_nested():
            return work.run(connection), None
    except Exception as error:
        if is_mistake(error):
            return None, error
        # A full disk or an I/O error makes SQLite roll back the whole transaction on its own: none stands.
        raise
