"""What is read of the machine and its processes: who runs where, CPU time, private memory, lost datagrams."""

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Cores:
    """Which core the server with its mixers runs on, and which the load generator; None: not pinned."""

    server: int | None
    generator: int | None


def divide_cores() -> Cores:
    """The first core for what is measured, the last for what measures; with only one, neither is pinned."""
    cores = sorted(os.sched_getaffinity(0))
    return Cores(cores[0], cores[-1]) if len(cores) > 1 else Cores(None, None)


def pin(core: int | None) -> None:
    """Keep this process, and those it starts, on a core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def descendants(pid: int) -> dict[int, int]:
    """Processes below `pid`: their pid → their parent's."""
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir():
        fields = _stat(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None:
            parents[int(entry.name)] = int(fields[1])
    below: dict[int, int] = {}
    found = {pid}
    while found:
        found = {child for child, parent in parents.items() if parent in found and child not in below}
        below |= {child: parents[child] for child in found}
    return below


def cpu_s(pids: Iterable[int]) -> float:
    """User and system time of these processes so far; those that are gone count nothing."""
    stats = [fields for fields in map(_stat, pids) if fields is not None]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS_PER_S


def private_bytes(pid: int) -> int:
    """Memory that only this process has (USS)."""
    total = 0
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:", "Private_Hugetlb:")):
            total += int(line.split()[1]) * 1024
    return total


def describe() -> dict[str, str | int]:
    """The machine, for the record."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory_kib = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory_kib // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": f"{os.getloadavg()[0]:.2f}",
    }


def commit(root: Path) -> str:
    """Short id of the commit that is measured, with `+` if files differ from it; `unknown` outside a clone."""
    try:
        head = _git(root, "rev-parse", "--short=10", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on: 0 state, 1 parent, 11 user time, 12 system time."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
