"""Looking at processes and descriptors through /proc, to prove that none is left."""

import asyncio
import os
import time
from pathlib import Path


def open_fds(pid: int | None = None) -> dict[int, str]:
    """What each descriptor of a process is; of this process by default."""
    fds = {}
    for path in Path(f"/proc/{pid or os.getpid()}/fd").iterdir():
        try:
            fds[int(path.name)] = str(path.readlink())
        except OSError:
            continue  # the one that was opened to list the others
    return fds


def running(pid: int) -> bool:
    """Whether it is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int | None = None) -> set[int]:
    """The processes that a process, this one by default, or any thread of it started, and that were not waited for.

    By each process's parent: the lists of children that the kernel keeps are by thread, and a thread may end meanwhile.
    """
    pid = pid or os.getpid()
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _parent(path) == pid}


def _parent(process: Path) -> int | None:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended since the list was made


def wait_until_gone(pids: list[int], patience_s: float = 10.0) -> None:
    for _ in range(int(patience_s / 0.01)):
        if not any(running(pid) for pid in pids):
            return
        time.sleep(0.01)
    raise AssertionError(f"still running: {[pid for pid in pids if running(pid)]}")


async def gone(pids: list[int]) -> None:
    await asyncio.to_thread(wait_until_gone, pids)
