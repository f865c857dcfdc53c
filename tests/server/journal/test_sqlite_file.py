"""A journal in an SQLite file, when the file is locked, full, read-only, damaged, or no file at all."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from server.conference.model import ConferenceState
from server.journal import Journal, JournalUnavailable
from tests.server.conference.scenario import Scenario, started
from tests.server.journal.recorder import Recorded

ROOT = Path(__file__).parents[3]


async def test_the_file_is_as_durable_as_promised(path: Path, file_journal: Journal) -> None:
    def read(pragma: str) -> object:
        with file_journal._write_engine.connect() as connection:
            return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    await Recorded(file_journal).join("a")
    assert path.with_name("parley.db-wal").exists()
    assert (read("journal_mode"), read("synchronous"), read("foreign_keys")) == ("wal", 2, 1)


async def test_a_locked_database_is_unavailable_until_it_is_free(path: Path, file_journal: Journal) -> None:
    scenario = started("a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match=r"parley\.db cannot be used: database is locked"):
            await file_journal.append(scenario.conference, scenario.log)
        assert await file_journal.events("conf-1") == []
        other.execute("ROLLBACK")
    await file_journal.append(scenario.conference, scenario.log)
    assert len(await file_journal.events("conf-1")) == 2


async def test_a_full_database_is_unavailable_and_loses_nothing(path: Path, file_journal: Journal) -> None:
    recorded = Recorded(file_journal)
    await recorded.join("a")
    with file_journal._write_engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    scenario = Scenario()
    scenario.join("b", conference_id="conf-2", metadata={"big": "x" * 100_000})
    with pytest.raises(JournalUnavailable, match="full"):
        await file_journal.append(scenario.conference, scenario.log)
    assert await file_journal.load("conf-1") == recorded.conference
    assert await file_journal.events("conf-2") == []
    with file_journal._write_engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    await file_journal.append(scenario.conference, scenario.log)
    assert len(await file_journal.events("conf-2")) == 2


async def test_a_full_disk_fails_all_who_shared_the_transaction(file_journal: Journal) -> None:
    await Recorded(file_journal).join("a")
    with file_journal._write_engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}")
    many = [Recorded(file_journal, f"conf-{number + 2}", f"name-{number}") for number in range(50)]
    results = await asyncio.gather(
        *(recorded.join("a", metadata={"big": "x" * 10_000}) for recorded in many), return_exceptions=True
    )
    told = {f"conf-{number + 2}" for number, result in enumerate(results) if result is None}
    assert any(isinstance(result, JournalUnavailable) for result in results)
    # Nobody was told of a success that is not in the file, nor of a failure that is.
    assert set(await file_journal.open_conferences()) == told | {"conf-1"}


async def test_a_damaged_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "parley.db"
    path.write_bytes(b"this is no database at all, but it is long enough to look like one\n" * 100)
    journal = Journal(str(path))
    with pytest.raises(JournalUnavailable, match="not a database"):
        await journal.open()
    await journal.close()


async def test_a_folder_in_the_way_is_unavailable(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    with pytest.raises(JournalUnavailable, match="unable to open"):
        await journal.open()
    await journal.close()


async def test_events_need_their_conference(path: Path, file_journal: Journal) -> None:
    recorded = Recorded(file_journal)
    await recorded.join("a")
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            other.execute("DELETE FROM conferences")
    assert recorded.conference.state is ConferenceState.ACTIVE


async def test_a_read_only_file_is_unavailable_until_it_can_be_written(file_journal: Journal) -> None:
    scenario = started("a")
    pragma(file_journal, "query_only = ON")
    for _ in range(2):
        with pytest.raises(JournalUnavailable, match="readonly"):
            await file_journal.append(scenario.conference, scenario.log)
    assert await file_journal.events("conf-1") == []
    pragma(file_journal, "query_only = OFF")
    await file_journal.append(scenario.conference, scenario.log)
    assert len(await file_journal.events("conf-1")) == 2


def pragma(journal: Journal, setting: str) -> None:
    """Change a setting of the connection that writes, outside of any transaction."""
    connection = journal._write_engine.raw_connection()
    connection.cursor().execute(f"PRAGMA {setting}")
    connection.close()


FILLING = """
import asyncio, resource, sys
from pathlib import Path
from server.conference.commands import Update
from server.journal import Journal, JournalUnavailable
from tests.server.conference.scenario import started

SOFT, HARD = resource.getrlimit(resource.RLIMIT_FSIZE)

async def main():
    path = Path(sys.argv[1])
    journal = Journal(str(path))
    await journal.open()
    scenario = started("a")
    await journal.append(scenario.conference, scenario.log)
    # The disk has room for a few more pages, and none for what comes then.
    full = path.with_name(path.name + "-wal").stat().st_size + int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, HARD))
    refused = 0
    for number in range(40):
        logged = len(scenario.log)
        scenario.do(Update("a", muted=number % 2 == 0))
        while True:
            try:
                await journal.append(scenario.conference, scenario.log[logged:])
                break
            except JournalUnavailable:
                refused += 1
                if refused == 3:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (SOFT, HARD))
    await journal.close()
    print(refused, scenario.conference.sequence)

asyncio.run(main())
"""


@pytest.mark.parametrize("room_bytes", [0, 20_000])
def test_a_full_disk_leaves_no_gap(tmp_path: Path, room_bytes: int) -> None:
    path = tmp_path / "parley.db"
    filled = subprocess.run(
        [sys.executable, "-c", FILLING, str(path), str(room_bytes)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert filled.stdout.split() == ["3", "42"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        sequences = connection.execute("SELECT sequence FROM events ORDER BY position").fetchall()
    assert sequences == [(sequence,) for sequence in range(1, 43)]
