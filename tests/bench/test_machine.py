import os
import subprocess
import sys
from pathlib import Path

from bench import machine

PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
child.communicate()
"""


def test_descendants_are_found_with_their_parents() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        found = machine.descendants(os.getpid())
        assert found[process.pid] == os.getpid()
        assert found[grandchild] == process.pid
        assert machine.descendants(process.pid) == {grandchild: process.pid}
        process.communicate()
    assert process.pid not in machine.descendants(os.getpid())


def test_cpu_time_is_that_of_the_processes() -> None:
    assert 0 < machine.cpu_s([os.getpid()]) <= os.times().user + os.times().system + 0.02
    assert machine.cpu_s([]) == 0
    assert machine.cpu_s([(1 << 22) + 1]) == 0  # past any pid Linux gives


def test_private_memory_is_less_than_all() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    assert 0 < machine.private_bytes(os.getpid()) <= pages * os.sysconf("SC_PAGE_SIZE") * 1.2


def test_the_commit_is_known_in_a_clone_and_unknown_outside(tmp_path: Path) -> None:
    assert machine.commit(tmp_path) == "unknown"
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / "a").write_text("1")
    subprocess.run(["git", "add", "a"], cwd=tmp_path, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, "commit", "-qm", "a"], cwd=tmp_path, check=True)
    clean = machine.commit(tmp_path)
    assert len(clean) == 10
    (tmp_path / "a").write_text("2")
    assert machine.commit(tmp_path) == clean + "+"


def test_the_machine_is_described() -> None:
    about = machine.describe()
    assert int(about["cores"]) >= 1
    assert int(about["memory_mib"]) > 0
    cores = machine.divide_cores()
    assert (cores.server is None) == (len(os.sched_getaffinity(0)) == 1)
    assert cores.server is None or cores.server != cores.generator
