"""Before the first mixer: what mixers can run compiled is compiled, once for each machine and version.

It takes some ten seconds, and nothing at all the next time. A server that had to wait for it is not ready meanwhile, so
no join does. Nothing depends on it: without, mixers do everything with numpy.
"""

import asyncio
import sys
from typing import Final

import structlog

from server import children

WITHIN_S: Final = 180.0
_UNNOTICED_S: Final = 1.0
_COMMAND: Final = (sys.executable, "-P", "-m", "mixer.kernels")

log = structlog.get_logger(__name__)


async def compile_loops(command: tuple[str, ...] = _COMMAND, within_s: float = WITHIN_S) -> None:
    """Have it done by a process of its own; what goes wrong is logged."""
    told = asyncio.get_running_loop().call_later(
        _UNNOTICED_S, lambda: log.info("compiling_loops", why="once for each machine and version")
    )
    try:
        ended = await children.run(command, within_s)
        if ended.errors or ended.status:
            words = ended.errors.strip()[-2000:]
            log.warning("loops_not_compiled", reason=words or f"it ended with status {ended.status}")
    except TimeoutError:
        log.warning("loops_not_compiled", reason=f"it took more than {within_s:g} s")
    finally:
        told.cancel()
