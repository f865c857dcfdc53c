from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "parley.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    journal = Journal(f"sqlite:///{path}", busy_timeout_ms=50)
    await journal.open()
    yield journal
    await journal.close()
