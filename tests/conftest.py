import gc

import pytest

from mixer import kernels

pytest_plugins = ["tests.support.parallel"]

# What is compiled is what users run. Where it is not, the tests run the numpy twins; `tests/mixer/kernels` runs both.
kernels.load()


@pytest.fixture(scope="module")
def earlier_garbage_gone() -> None:
    """For modules that compare descriptors: none of those before it is closed meanwhile."""
    gc.collect()
