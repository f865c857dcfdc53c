"""Runs the package's children: short programs that fill memory files with sound and end.

A child inherits the descriptors named here and nothing else: no environment with secrets, no standard streams, no
working directory. It answers through a memory file too, so nothing of it has to be read while it runs. What it
answers is checked like any stranger's word, since it has been reading a stranger's bytes.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from server.prompts.clip import memory_file

_REPORT_BYTES: Final = 4096
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""Of the environment: what it may take to start Python."""


class Report(BaseModel):
    """What a child says of its work. No `code` means success."""

    model_config = ConfigDict(frozen=True)

    code: str | None = None
    detail: str = ""
    notes: tuple[str, ...] = ()


class ChildFailed(Exception):  # noqa: N818 - like LaunchFailed
    """The child ended without a report; `status` is its exit status, below 0 for a signal."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the child ended with status {status}")
        self.status = status


async def run(module: str, arguments: Sequence[str], fds: Sequence[int], *, deadline_s: float) -> Report:
    """Run `python -m module REPORT_FD arguments...` with the descriptors `fds` to its end.

    Raises TimeoutError after `deadline_s` and ChildFailed if it ends without a report; it is gone in any case, also
    when the caller is cancelled.
    """
    report_fd = memory_file("report")
    try:
        status = await _run_to_end((module, str(report_fd), *arguments), (report_fd, *fds), deadline_s)
        data = os.pread(report_fd, _REPORT_BYTES, 0)
        if status != 0:
            raise ChildFailed(status)
        try:
            return Report.model_validate_json(data)
        except ValidationError as error:
            raise ChildFailed(status) from error
    finally:
        os.close(report_fd)


async def _run_to_end(command: Sequence[str], fds: Sequence[int], deadline_s: float) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", *command),
        pass_fds=fds,
        env=_environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C at the server's terminal is the server's to answer
    )
    try:
        async with asyncio.timeout(deadline_s):
            return await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)
    return {**kept, **threads, "PYTHONPATH": path}
