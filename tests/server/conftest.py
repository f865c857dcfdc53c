from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.api import Api, serving


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A server of a test's own."""
    async with serving(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A server that the tests of a module share, because all of them are refused and so change nothing."""
    async with serving(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture
async def guarded_api(tmp_path: Path) -> AsyncIterator[Api]:
    """A server that lets URLs of users lead to public addresses only, as outside dev mode."""
    async with serving(tmp_path, allow_private_urls=False) as running:
        yield running
