import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mixer import kernels
from mixer.kernels import Loops, cache
from tests.mixer.kernels.twins import Twins

ROOT = Path(kernels.__file__).parents[2]


@pytest.fixture(scope="session")
def compiled_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything was compiled to by the command: once for all tests, as it takes ten seconds."""
    if find_spec("numba") is None:
        pytest.skip("numba is not installed")
    place = tmp_path_factory.mktemp("compiled")
    done = subprocess.run(
        [sys.executable, "-m", "mixer.kernels"],
        env={**os.environ, "NUMBA_CACHE_DIR": str(place), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return place


@pytest.fixture(scope="session")
def loops(request: pytest.FixtureRequest) -> Loops:
    """The loops, of the sources as they are. Where they were not compiled ahead, they are now."""
    if find_spec("numba") is None:
        pytest.skip("numba is not installed")
    if kernels.loops is not None:
        return kernels.loops
    assert not cache.ready(), "what was compiled ahead is used by all tests"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NUMBA_CACHE_DIR", str(request.getfixturevalue("compiled_at")))
        assert cache.ready()
        return Loops(cache.functions())


@pytest.fixture(scope="session")
def twins(loops: Loops) -> Twins:
    return Twins(loops)
