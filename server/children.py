"""Runs children that work on recordings, or compile for mixers to come. Each is a program that ends by itself.

Decides how they are started and that none outlives its caller's interest. What they do is their own affair; that they
are gentle to the mixers, too: each that runs beside some lowers its own priority.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MOST_TOLD: Final = 2000
"""Characters of what a child said that are worth a line in the log."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended."""

    status: int
    """Its exit status, below 0 for a signal."""
    output: str
    errors: str

    @property
    def words(self) -> str:
        """What it said went wrong, or how it died."""
        said = self.errors.strip()[-_MOST_TOLD:]
        return said or f"the child ended with status {self.status}"


Run = Callable[[Sequence[str], float], Awaitable[Ended]]


async def run(command: Sequence[str], deadline_s: float) -> Ended:
    """Run a command to its end; raise TimeoutError after `deadline_s`, OSError if it cannot be started.

    The child is gone when this returns, also when the caller is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # a Ctrl-C at the server's terminal is the server's to answer
    )
    try:
        async with asyncio.timeout(deadline_s):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    status = process.returncode
    return Ended(-1 if status is None else status, output.decode(errors="replace"), errors.decode(errors="replace"))


def _environment() -> dict[str, str]:
    """Storage reads its credentials from the environment, so all of it is passed on but the server's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(str(Path(entry or ".").absolute()) for entry in sys.path)}
