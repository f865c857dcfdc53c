import os
import sys
from pathlib import Path

import pytest

from bench import pinned

SAY = "import os; print(sorted(os.sched_getaffinity(0)), os.environ.get('PARLEY_X'), 'PARLEY_OLD' in os.environ)"


def test_a_program_runs_on_its_core_and_with_its_settings_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_OLD", "1")
    before = os.sched_getaffinity(0)
    core = max(before)
    log = tmp_path / "log"
    for _ in range(2):
        environment = pinned.clean_environment(PARLEY_X="2")
        assert pinned.start([sys.executable, "-c", SAY], log, core, environment).wait() == 0
    assert os.sched_getaffinity(0) == before
    assert log.read_text() == f"[{core}] 2 False\n" * 2


def test_the_end_of_a_log_is_shown_whatever_is_in_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(30)) + b"\xff\n")
    lines = pinned.log_tail(log).splitlines()
    assert (lines[1], lines[-2], len(lines)) == ("    line 11", "    line 29", 21)
