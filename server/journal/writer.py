"""The one thread that writes to the journal: whatever waits for it goes into one transaction.

SQLite takes one writer at a time and a commit costs a disk flush, so writes queue here instead of at the
file, and those that came in while the last commit flushed share the next one (group commit).
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from server.journal.errors import JournalUnavailable, unavailable_if_broken

T = TypeVar("T")

MAX_GROUP: Final = 256
"""Writes in one transaction: enough to share the flush, few enough that none waits long for the others."""


@dataclass(frozen=True, slots=True)
class _Work:
    run: Callable[[Connection], Any]
    future: Future[Any]


class Writer:
    """Runs writes one after the other on its own thread, from `start` until `stop`."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._works: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="journal-writer", daemon=True)
        self._lock = threading.Lock()
        self._stopped = False

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def submit(self, run: Callable[[Connection], T]) -> Future[T]:
        """Queue a write; the future is done when it is on disk, or holds why it is not.

        `run` gets a connection within a transaction that others share: it must neither commit nor roll back.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._stopped:
                raise JournalUnavailable(f"the journal at {self._where} is closed")
            self._works.put(_Work(run, future))
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
        try:
            with unavailable_if_broken(self._where), self._engine.begin() as connection:
                outcomes = [_attempt(connection, work) for work in group]
        except Exception as error:
            for work in group:
                work.future.set_exception(error)
            return
        for work, (result, failure) in zip(group, outcomes, strict=True):
            if failure is None:
                work.future.set_result(result)
            else:
                work.future.set_exception(failure)


def _attempt(connection: Connection, work: _Work) -> tuple[Any, Exception | None]:
    """Run one write within a savepoint, so that its mistake costs only itself."""
    try:
        with connection.begin_nested():
            return work.run(connection), None
    except IntegrityError as error:
        return None, error
    except DBAPIError:
        # A full disk or an I/O error makes SQLite roll back the whole transaction on its own: none stands.
        raise
    except Exception as error:
        return None, error
