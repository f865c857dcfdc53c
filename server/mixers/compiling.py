"""Before the first mixer: what mixers can run compiled is compiled, once for each machine and version.

It takes some ten seconds, and nothing at all the next time. A server that had to wait for it is not ready meanwhile, so
no join does. Nothing depends on it: without, mixers do everything with numpy.
"""

import asyncio
import os
import subprocess
import sys
from typing import Final

import structlog

from server.mixers.forkserver import environment

WITHIN_S: Final = 180.0
_UNNOTICED_S: Final = 1.0
_COMMAND: Final = (sys.executable, "-P", "-m", "mixer.kernels")

log = structlog.get_logger(__name__)


async def compile_loops(command: tuple[str, ...] = _COMMAND, within_s: float = WITHIN_S) -> None:
    """Have it done by a process of its own; what goes wrong is logged."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(os.environ, sys.path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    told = asyncio.get_running_loop().call_later(
        _UNNOTICED_S, lambda: log.info("compiling_loops", why="once for each machine and version")
    )
    try:
        async with asyncio.timeout(within_s):
            _, said = await process.communicate()
        if said or process.returncode:
            words = said.decode(errors="replace").strip()[-2000:]
            log.warning("loops_not_compiled", reason=words or f"it ended with status {process.returncode}")
    except TimeoutError:
        log.warning("loops_not_compiled", reason=f"it took more than {within_s:g} s")
    finally:
        told.cancel()
        if process.returncode is None:
            process.kill()
            await process.wait()
