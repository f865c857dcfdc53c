from collections.abc import AsyncIterator

import pytest

from tests.support.api import Api
from tests.support.served import served


@pytest.fixture
async def url(api: Api) -> AsyncIterator[str]:
    """Where the test's server is served on this machine."""
    async with served(api) as address:
        yield address
