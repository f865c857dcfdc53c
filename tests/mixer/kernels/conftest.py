from importlib.util import find_spec

import pytest

from mixer.kernels import Loops, cache
from tests.mixer.kernels.twins import Twins


@pytest.fixture(scope="session")
def ready() -> None:
    """Where loops were compiled ahead, they can be loaded; else there is nothing to be tried."""
    if find_spec("numba") is None:
        pytest.skip("numba is not installed")
    if not cache.ready():
        pytest.skip("nothing was compiled ahead of these sources: `python -m mixer.kernels` does")


@pytest.fixture(scope="session")
def twins(ready: None) -> Twins:
    """With loops that refuse arguments of other types than theirs."""
    return Twins(Loops(cache.functions(checked=True)))


@pytest.fixture(scope="session")
def unchecked_twins(ready: None) -> Twins:
    """With loops as mixers run them."""
    return Twins(Loops(cache.functions(checked=False)))
