from pathlib import Path

import pytest

from tests.support import parallel

ROOT = Path(__file__).parents[2]


def test_every_file_that_is_named_is_there() -> None:
    named = (*parallel.LONG, *parallel.ALONG)
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert list((ROOT / parallel.SYSTEM).glob("test_*.py"))


def test_a_file_is_one_scope_and_all_that_needs_real_time_another() -> None:
    system = [f"{parallel.SYSTEM}/test_a.py::test_x", f"{parallel.SYSTEM}/test_b.py::test_y", f"{parallel.ALONG[0]}::z"]
    assert {parallel.scope(node_id) for node_id in system} == {parallel.SYSTEM}
    assert parallel.scope("tests/a.py::A::test_x[b::c]") == parallel.scope("tests/a.py::test_y") == "tests/a.py"


def test_what_takes_longest_begins_first() -> None:
    short, system = "tests/test_docs.py::x", f"{parallel.SYSTEM}/test_a.py::x"
    longest_first = [f"{name}::x" for name in parallel.LONG]
    assert sorted([short, *longest_first[::-1], system], key=parallel.turn) == [system, *longest_first, short]


@pytest.mark.parametrize(("cores", "processes"), [({0}, 1), ({2, 3}, 2), (set(range(64)), parallel.MOST)])
def test_no_more_processes_than_have_a_processor_or_than_can_be_busy(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], processes: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: cores)
    assert parallel.pytest_xdist_auto_num_workers() == processes
