"""Children of the package: what they are given, and what is made of their ends."""

import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from server.prompts.child import ChildFailed, run
from tests.server.prompts.files import memory_files, open_files

MODULE = "child_of_a_test"
Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Give a way to say what the child does."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def writer(body: str) -> None:
        code = "import json, os, sys\nreport = int(sys.argv[1])\n" + textwrap.dedent(body)
        (tmp_path / f"{MODULE}.py").write_text(code)

    return writer


async def test_a_child_inherits_what_it_is_given_and_nothing_else(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_API_KEYS", "id:secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    write(
        """
        open_now = sorted(int(name) for name in os.listdir("/proc/self/fd") if int(name) < 100)
        names = [os.readlink(f"/proc/self/fd/{fd}") for fd in (0, 1, 2)]
        notes = [json.dumps(x) for x in (open_now, names, sorted(os.environ), os.getcwd(), sys.argv[2:])]
        os.write(report, json.dumps({"notes": notes}).encode())
        """
    )
    given = os.memfd_create("given")
    try:
        report = await run(MODULE, ["a", "b"], [given], deadline_s=20)
    finally:
        os.close(given)
    open_in_child, streams, environment, folder, arguments = (json.loads(note) for note in report.notes)
    # Standard streams, the report, what was given, and the descriptor of the listing itself.
    assert len(open_in_child) == 6
    assert given in open_in_child
    assert streams == ["/dev/null"] * 3
    assert not any("SECRET" in name or "PARLEY" in name for name in environment)
    assert folder == "/"
    assert arguments == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        "sys.exit(3)",
        "os.kill(os.getpid(), 9)",
        "pass",
        "os.write(report, b'not json')",
        "os.write(report, json.dumps({'notes': [7]}).encode())",
        "os.write(report, json.dumps({'notes': ['x' * 5000]}).encode())",
    ],
)
async def test_an_end_without_a_sound_report_is_a_failure(write: Write, body: str) -> None:
    write(body)
    before = memory_files()
    with pytest.raises(ChildFailed):
        await run(MODULE, [], [], deadline_s=20)
    assert memory_files() == before


async def test_a_child_that_hangs_is_gone_at_its_deadline(write: Write, tmp_path: Path) -> None:
    write(f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\nimport time\ntime.sleep(60)")
    before = len(open_files())
    with pytest.raises(TimeoutError):
        await run(MODULE, [], [], deadline_s=1)
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert len(open_files()) == before
