from importlib.util import find_spec

import pytest

from mixer import kernels
from mixer.kernels import Loops, cache
from tests.mixer.kernels.twins import Twins


@pytest.fixture(scope="session")
def loops() -> Loops:
    """The loops as they were compiled ahead; `tests/conftest.py` has loaded them."""
    if find_spec("numba") is None:
        pytest.skip("numba is not installed")
    if not cache.ready():
        pytest.skip("nothing was compiled ahead of these sources: `python -m mixer.kernels` does")
    assert kernels.load(), "what is ready can be loaded"
    assert kernels.loops is not None
    return kernels.loops


@pytest.fixture(scope="session")
def twins(loops: Loops) -> Twins:
    return Twins(loops)
