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
    """The children of a process's main thread; of this process by default."""
    pid = pid or os.getpid()
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait_until_gone(pids: list[int], patience_s: float = 10.0) -> None:
    for _ in range(int(patience_s / 0.01)):
        if not any(running(pid) for pid in pids):
            return
        time.sleep(0.01)
    raise AssertionError(f"still running: {[pid for pid in pids if running(pid)]}")


async def gone(pids: list[int]) -> None:
    await asyncio.to_thread(wait_until_gone, pids)
