import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from server.journal import JournalUnavailable
from server.journal.database import make_engine, parse_url
from server.journal.writer import MAX_GROUP, Writer


@pytest.fixture
def engine(url: str, path: Path) -> Iterator[Engine]:
    path.parent.mkdir()
    engine = make_engine(parse_url(url), writes=True, busy_timeout_ms=50)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    yield engine
    engine.dispose()


@pytest.fixture
def commits(engine: Engine) -> list[int]:
    """Grow by one for each transaction committed."""
    seen: list[int] = []
    event.listen(engine, "commit", lambda _connection: seen.append(1))
    return seen


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine, "w.db")
    yield writer
    writer.stop()


def put(number: int) -> object:
    def run(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        return number

    return run


def rows(engine: Engine) -> list[int]:
    with engine.begin() as connection:
        return [n for (n,) in connection.exec_driver_sql("SELECT n FROM t ORDER BY n")]


class Hands:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


def test_who_comes_after_a_wait_in_vain_need_not_wait_himself(engine: Engine) -> None:
    time = Hands()
    writer = Writer(engine, "w.db", monotonic=time)
    writer.start()

    def locked(connection: Connection) -> None:
        time.at_s += 2.0
        raise sqlite3.OperationalError("database is locked")

    with pytest.raises(JournalUnavailable, match="locked"):
        writer.submit(locked).result(10)
    for _ in range(3):
        with pytest.raises(JournalUnavailable, match="locked"):
            writer.submit(put(1))
        time.at_s += 0.15
    time.at_s += 0.1
    assert writer.submit(put(2)).result(10) == 2
    writer.stop()
    assert rows(engine) == [2]


def test_a_failure_without_a_wait_refuses_nobody_else(engine: Engine) -> None:
    time = Hands()
    writer = Writer(engine, "w.db", monotonic=time)
    writer.start()

    def full(connection: Connection) -> None:
        time.at_s += 0.1
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(JournalUnavailable):
        writer.submit(full).result(10)
    assert writer.submit(put(2)).result(10) == 2
    writer.stop()


def test_writes_that_wait_share_a_transaction(writer: Writer, engine: Engine, commits: list[int]) -> None:
    waiting = [writer.submit(put(number)) for number in range(10)]
    writer.start()
    assert [future.result(10) for future in waiting] == list(range(10))
    assert len(commits) == 1
    writer.stop()
    assert rows(engine) == list(range(10))


def test_a_group_has_its_bound(writer: Writer, engine: Engine, commits: list[int]) -> None:
    waiting = [writer.submit(put(number)) for number in range(2 * MAX_GROUP + 1)]
    writer.start()
    for future in waiting:
        future.result(10)
    assert len(commits) == 3
    writer.stop()
    assert len(rows(engine)) == 2 * MAX_GROUP + 1


def test_a_mistake_costs_only_itself(writer: Writer, engine: Engine, commits: list[int]) -> None:
    def wrong(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO t VALUES (99)")
        raise ZeroDivisionError

    waiting = [writer.submit(put(1)), writer.submit(wrong), writer.submit(put(1)), writer.submit(put(2))]
    writer.start()
    failures = [type(future.exception(10)).__name__ for future in waiting]
    assert failures == ["NoneType", "ZeroDivisionError", "IntegrityError", "NoneType"]
    assert len(commits) == 1
    writer.stop()
    assert rows(engine) == [1, 2]


def break_down(connection: Connection) -> None:
    """Let the database be unusable in the middle of a transaction: the file is full, or the connection cut."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        connection.exec_driver_sql("CREATE TABLE big (x)")
    else:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


def test_trouble_fails_all_of_its_group_and_no_later_one(writer: Writer, engine: Engine) -> None:
    waiting = [writer.submit(put(1)), writer.submit(break_down), writer.submit(put(2))]
    writer.start()
    assert {type(future.exception(10)) for future in waiting} == {JournalUnavailable}
    later = writer.submit(put(3))
    assert later.result(10) == 3
    writer.stop()
    assert rows(engine) == [3]


def test_futures_of_a_group_are_completed_together(engine: Engine) -> None:
    handed_over: list[Callable[[], None]] = []
    writer = Writer(engine, "w.db", handed_over.append)
    waiting = [writer.submit(put(1)), writer.submit(put(1)), writer.submit(put(2))]
    writer.start()
    writer.stop()
    assert rows(engine) == [1, 2]
    assert not any(future.done() for future in waiting)
    (complete,) = handed_over
    complete()
    assert [future.exception(0) is None for future in waiting] == [True, False, True]


@pytest.fixture
def silent_commits(engine: Engine) -> list[bool]:
    """For each value, let a commit go through, or not, and the answer to it be lost."""
    plan: list[bool] = []

    def commit(connection: Connection) -> None:
        if plan:
            dbapi_connection: Any = connection.connection.dbapi_connection
            if plan.pop(0):
                dbapi_connection.commit()
            raise sqlite3.OperationalError("no answer")

    event.listen(engine, "commit", commit)
    return plan


@pytest.mark.parametrize("went_through", [True, False])
def test_what_nobody_knows_of_is_taken_back(
    writer: Writer, engine: Engine, silent_commits: list[bool], went_through: bool
) -> None:
    def take_back(connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM t WHERE n = 1")

    silent_commits += [went_through, went_through]
    waiting = [writer.submit(put(1), take_back), writer.submit(put(2))]
    writer.start()
    assert {type(future.exception(10)) for future in waiting} == {JournalUnavailable}
    # The first that is written takes back; as nobody knows of that either, so does the next.
    assert isinstance(writer.submit(put(3), take_back).exception(10), JournalUnavailable)
    assert writer.submit(put(1)).result(10) == 1
    assert writer.submit(put(4)).result(10) == 4
    writer.stop()
    assert rows(engine) == ([1, 2, 3, 4] if went_through else [1, 4])


def test_a_write_given_up_in_time_is_not_made(writer: Writer, engine: Engine) -> None:
    waiting = [writer.submit(put(number)) for number in range(3)]
    assert waiting[1].cancel()
    writer.start()
    assert waiting[2].result(10) == 2
    writer.stop()
    assert rows(engine) == [0, 2]


def test_stopping_writes_what_waits_and_refuses_the_rest(writer: Writer, engine: Engine) -> None:
    waiting: list[Future[object]] = [writer.submit(put(number)) for number in range(3)]
    writer.start()
    writer.stop()
    writer.stop()
    assert all(future.done() for future in waiting)
    with pytest.raises(JournalUnavailable, match="closed"):
        writer.submit(put(9))
    assert rows(engine) == [0, 1, 2]
    assert "journal-writer" not in {thread.name for thread in threading.enumerate()}
