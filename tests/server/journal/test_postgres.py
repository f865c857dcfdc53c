"""A journal in PostgreSQL: whose it is, and what becomes of it when connections are cut or the server restarts."""

import signal
import sys
import traceback
from collections.abc import AsyncIterator

import psycopg
import pytest
from sqlalchemy import Connection, event

from server.conference.commands import End, Update
from server.conference.views import summarize
from server.journal import Journal, JournalUnavailable
from tests.server.conference.scenario import Scenario, started
from tests.server.journal import postgres
from tests.server.journal.recorder import Recorded
from tests.server.journal.test_outbox import told

IN_USE = "is in use by another server"


@pytest.fixture
def url(postgres_server: postgres.Server) -> str:
    return postgres_server.new_database()


@pytest.fixture
async def other(url: str) -> AsyncIterator[Journal]:
    """Another server that is given the same database."""
    journal = Journal(url, busy_timeout_ms=50)
    yield journal
    await journal.close()


async def test_a_database_is_one_servers(journal: Journal, other: Journal, url: str) -> None:
    with pytest.raises(JournalUnavailable, match=IN_USE):
        await other.open()
    await Recorded(journal).join("a")
    await journal.close()
    later = Journal(url)
    await later.open()
    try:
        assert await later.open_conferences() == ["conf-1"]
    finally:
        await later.close()


async def test_cut_connections_are_made_anew(journal: Journal, postgres_server: postgres.Server) -> None:
    recorded = Recorded(journal)
    await recorded.join("a")
    postgres_server.cut_connections()
    await recorded.do(Update("a", muted=True))
    assert await journal.load("conf-1") == recorded.conference
    assert len(await journal.events("conf-1")) == 3


async def test_who_lost_its_database_to_another_server_does_not_write(
    journal: Journal, other: Journal, postgres_server: postgres.Server
) -> None:
    recorded = Recorded(journal)
    await recorded.join("a")
    postgres_server.cut_connections()
    await other.open()
    with pytest.raises(JournalUnavailable, match=IN_USE):
        await recorded.do(Update("a", muted=True))
    assert len(await other.events("conf-1")) == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_while_it_is_away_nothing_can_be_written_or_read(
    journal: Journal, postgres_server: postgres.Server, how: signal.Signals
) -> None:
    scenario = started("a")
    await journal.append(scenario.conference, scenario.log)
    logged = len(scenario.log)
    scenario.do(Update("a", muted=True))
    postgres_server.stop(how)
    try:
        for _ in range(2):
            with pytest.raises(JournalUnavailable, match=r"the journal at postgresql://.* cannot be used"):
                await journal.append(scenario.conference, scenario.log[logged:])
            with pytest.raises(JournalUnavailable):
                await journal.events("conf-1")
    finally:
        postgres_server.start()
    await journal.append(scenario.conference, scenario.log[logged:])
    assert await journal.events("conf-1") == [entry.wire for entry in scenario.log]


async def test_what_another_holds_is_unavailable_until_it_lets_go(
    journal: Journal, postgres_server: postgres.Server
) -> None:
    scenario = started("a")
    holding = psycopg.connect(host=str(postgres_server.folder), user="parley", dbname=postgres.NAME)
    with holding:
        holding.execute("LOCK TABLE events")
        with pytest.raises(JournalUnavailable, match="lock timeout"):
            await journal.append(scenario.conference, scenario.log)
        holding.rollback()
    holding.close()
    assert await journal.list_conferences() == []
    await journal.append(scenario.conference, scenario.log)
    assert len(await journal.events("conf-1")) == 2


async def test_a_database_that_may_only_be_read_is_unavailable(
    journal: Journal, postgres_server: postgres.Server
) -> None:
    scenario = started("a")
    postgres_server.execute(f"ALTER DATABASE {postgres.NAME} SET default_transaction_read_only = on")
    postgres_server.cut_connections()
    with pytest.raises(JournalUnavailable, match="read-only"):
        await journal.append(scenario.conference, scenario.log)
    postgres_server.execute(f"ALTER DATABASE {postgres.NAME} RESET default_transaction_read_only")
    postgres_server.cut_connections()
    await journal.append(scenario.conference, scenario.log)


class LostAnswers:
    """Lets commits go through whose answer is lost with the connection."""

    def __init__(self, journal: Journal, server: postgres.Server) -> None:
        self.left = 0
        self._cut = server.cut_connections
        event.listen(journal._write_engine, "commit", self._commit)

    def _commit(self, connection: Connection) -> None:
        if self.left:
            self.left -= 1
            connection.connection.commit()
            self._cut()
            connection.exec_driver_sql("SELECT 1")


async def test_an_append_that_failed_has_not_happened_whatever_went_through(
    journal: Journal, postgres_server: postgres.Server
) -> None:
    lost = LostAnswers(journal, postgres_server)
    recorded = Recorded(journal)
    await recorded.join("a")
    known = summarize(recorded.conference)
    scenario = recorded.scenario
    logged, before = len(scenario.log), scenario.current
    ending, beginning = scenario.log[:], Scenario(prefix="new")
    lost.left = 1
    scenario.do(End())
    refused = scenario.log[logged:]
    with pytest.raises(JournalUnavailable):
        await journal.append(scenario.conference, refused, [told(refused[0].event_id)])
    beginning.join("b", conference_id="conf-2", name="other")
    lost.left = 1
    with pytest.raises(JournalUnavailable):
        await journal.append(beginning.conference, beginning.log, [told("new-1")])
    # Whatever comes next is written after both were taken back.
    await Recorded(journal, "conf-3", "third").join("c")
    assert await journal.open_conferences() == ["conf-1", "conf-3"]
    assert await journal.events("conf-1") == [entry.wire for entry in ending]
    assert await journal.events("conf-2") == []
    assert await journal.lanes_due() == []
    assert known in await journal.list_conferences()
    scenario.current, scenario.log = before, ending
    await recorded.do(Update("a", muted=True))
    assert [wire["sequence"] for wire in await journal.events("conf-1")] == [1, 2, 3]


async def test_commits_are_durable_even_where_they_usually_are_not(url: str, postgres_server: postgres.Server) -> None:
    postgres_server.execute(f"ALTER DATABASE {postgres.NAME} SET synchronous_commit = off")
    journal = Journal(url)
    await journal.open()
    try:
        with journal._write_engine.begin() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    finally:
        await journal.close()


@pytest.mark.parametrize(
    "refusing",
    [
        "postgresql://anna:open-sesame@/nowhere?host={folder}",
        "postgres://anna:open-sesame@127.0.0.1:1/nowhere",
        "postgresql+psycopg://parley@/postgres?host=127.0.0.1&port=1&password=open-sesame&application_name=other",
        "postgresql://parley@/nowhere?host={folder}&password=open-sesame",
    ],
)
async def test_passwords_are_never_shown(refusing: str, postgres_server: postgres.Server) -> None:
    journal = Journal(refusing.format(folder=postgres_server.folder))
    with pytest.raises(JournalUnavailable, match="cannot be used") as told:
        await journal.open()
    await journal.close()
    shown = "".join(traceback.format_exception(told.value)) + repr(told.value) + repr(vars(journal))
    assert "open-sesame" not in shown
    assert "anna" not in str(told.value).partition(" cannot be used")[0]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(JournalUnavailable, match=r"PostgreSQL needs the package psycopg\[binary\]"):
        Journal("postgresql://localhost/parley")
