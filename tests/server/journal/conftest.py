from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.journal import Journal
from tests.server.journal import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    try:
        with postgres.running() as server:
            yield server
    except postgres.NoPostgres as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "parley.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, path: Path) -> str:
    """Return the URL of a new database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{path}"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
async def journal(url: str) -> AsyncIterator[Journal]:
    journal = Journal(url, busy_timeout_ms=50)
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
async def file_journal(path: Path) -> AsyncIterator[Journal]:
    """A journal in the SQLite file `path`."""
    journal = Journal(f"sqlite:///{path}", busy_timeout_ms=50)
    await journal.open()
    yield journal
    await journal.close()
