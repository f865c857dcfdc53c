"""Files of older versions are brought up to date, whole or not at all."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from server.conference import codec
from server.conference.commands import Update
from server.conference.views import summarize
from server.journal import Journal
from server.journal.tables import SCHEMA_VERSION
from tests.server.conference.scenario import Scenario, started
from tests.server.journal.test_outbox import told

ROOT = Path(__file__).parents[3]

VERSION_1 = """
CREATE TABLE journal_schema (version INTEGER NOT NULL);
CREATE TABLE conferences (
    conference_id TEXT NOT NULL, project_id TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, region TEXT,
    size INTEGER NOT NULL, created_at FLOAT NOT NULL, started_at FLOAT, ended_at FLOAT, reason_ended TEXT,
    last_sequence INTEGER NOT NULL, PRIMARY KEY (conference_id)
);
CREATE INDEX conferences_by_status ON conferences (status, created_at);
CREATE INDEX conferences_by_project ON conferences (project_id, created_at);
CREATE INDEX conferences_by_age ON conferences (created_at);
CREATE INDEX conferences_by_name ON conferences (name, created_at);
CREATE TABLE idempotency (
    "key" TEXT NOT NULL, scope TEXT NOT NULL, body_hash TEXT NOT NULL, status INTEGER NOT NULL,
    response_body TEXT NOT NULL, created_at FLOAT NOT NULL, PRIMARY KEY ("key", scope)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
CREATE TABLE events (
    position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, conference_id TEXT NOT NULL,
    sequence INTEGER NOT NULL, domain JSON NOT NULL, wire JSON NOT NULL, UNIQUE (conference_id, sequence),
    UNIQUE (event_id), FOREIGN KEY(conference_id) REFERENCES conferences (conference_id)
);
INSERT INTO journal_schema VALUES (1);
"""


@pytest.fixture
def scenario() -> Scenario:
    return started("a", "b")


@pytest.fixture
def old(tmp_path: Path, scenario: Scenario) -> Path:
    """Return a file as version 1 left it, with a conference."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + VERSION_1)
        summary = summarize(scenario.conference)
        connection.execute(
            "INSERT INTO conferences VALUES (:conference_id, :project_id, :name, :status, :region, :size, :created_at,"
            " :started_at, :ended_at, :reason_ended, :last_sequence)",
            {name: getattr(summary, name) for name in summary.__dataclass_fields__},
        )
        connection.executemany(
            "INSERT INTO events (event_id, conference_id, sequence, domain, wire) VALUES (?, 'conf-1', ?, ?, ?)",
            [(e.event_id, e.sequence, json.dumps(codec.dump(e.event)), json.dumps(e.wire)) for e in scenario.log],
        )
    return path


def layout(path: Path) -> dict[str, list[str]]:
    """Return what each table and index consists of, however its statement was written."""
    with closing(sqlite3.connect(path)) as connection:
        made = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: sorted(re.findall(r"[^\s,()\"]+", sql)) for name, sql in made}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT version FROM journal_schema").fetchone()
    return int(found)


async def test_a_file_of_version_1_goes_on(old: Path, scenario: Scenario) -> None:
    journal = Journal(str(old))
    await journal.open()
    try:
        assert await journal.load("conf-1") == scenario.conference
        wires = [entry.wire for entry in scenario.log]
        assert [event for _, event in await journal.live_events("key-1", 0)] == wires
        scenario.do(Update("a", muted=True))
        last = scenario.log[-1]
        (lane_id,) = await journal.append(scenario.conference, [last], [told(last.event_id)])
        assert (await journal.heads([lane_id], 1))[lane_id][0].event == last.wire
        assert (await journal.live_events("key-1", 0))[-1][1] == last.wire
    finally:
        await journal.close()
    assert version(old) == SCHEMA_VERSION


async def test_an_old_file_becomes_what_a_new_one_is(old: Path, tmp_path: Path) -> None:
    for path in (old, tmp_path / "new.db"):
        journal = Journal(str(path))
        await journal.open()
        await journal.close()
    assert layout(old) == layout(tmp_path / "new.db")


DYING = """
import asyncio, os, sys
from sqlalchemy import event, Engine
from server.journal import Journal

left = int(sys.argv[2])

@event.listens_for(Engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    if statement.strip().startswith(("CREATE", "ALTER", "UPDATE")):
        left -= 1
    if not left:
        os.kill(os.getpid(), 9)

asyncio.run(Journal(sys.argv[1]).open())
"""


@pytest.mark.parametrize("statements", [1, 3, 10])
def test_a_migration_that_is_killed_has_not_happened(old: Path, scenario: Scenario, statements: int) -> None:
    before = layout(old)
    died = subprocess.run([sys.executable, "-c", DYING, str(old), str(statements)], cwd=ROOT, check=False)
    assert died.returncode == -9
    assert (version(old), layout(old)) == (1, before)
    asyncio.run(test_a_file_of_version_1_goes_on(old, scenario))
