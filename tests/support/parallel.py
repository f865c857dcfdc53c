"""How the tests are shared out when several processes run them, as `make test` does: `pytest -n auto`.

A file is one process's, so that what its tests share is set up once and its ports are nobody else's. The tests that
need the machine in real time are one process's all together: they mostly wait, so that they cost the others little,
and never disturb each other. They begin first, and then the files that take longest, lest one of them is left over.
"""

import os

import pytest

MOST = 4
SYSTEM = "tests/system"
"""Real servers, real calls."""
ALONG = ("tests/server/loadtest/test_run.py",)
"""Files elsewhere that are like those in `SYSTEM`."""
LONG = (
    "tests/server/conference/test_histories.py",
    "tests/mixer/test_tick_network.py",
    "tests/server/test_main.py",
    "tests/mixer/test_recording_long.py",
    "tests/server/loadtest/test_generator.py",
    "tests/mixer/test_tick_streams.py",
    "tests/server/recordings/test_remote.py",
    "tests/server/mixers/test_supervisor.py",
    "tests/recording/test_repair.py",
    "tests/server/recordings/test_store.py",
    "tests/server/test_service.py",
)
"""The files that take longer than ten seconds in one process, the longest first."""


def scope(node_id: str) -> str:
    """Whatever is of one scope is run by one process, one after another."""
    file = node_id.split("::", 1)[0]
    return SYSTEM if file.startswith(f"{SYSTEM}/") or file in ALONG else file


def turn(node_id: str) -> int:
    """The lower the earlier."""
    belongs = scope(node_id)
    if belongs == SYSTEM:
        return 0
    return 1 + LONG.index(belongs) if belongs in LONG else 1 + len(LONG)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put first what has to begin first. One process alone keeps to the order of the files."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many as have a processor each; with more than four all wait for the one that has the system tests."""
    return min(MOST, len(os.sched_getaffinity(0)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out scopes in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Scopes(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope(nodeid)

    config.option.loadscopereorder = False
    return Scopes(config, log)  # type: ignore[arg-type]
