"""Where compiled loops are kept, and whether they are those of the sources, of this machine and of these versions.

In `__pycache__` beside the sources, or in NUMBA_CACHE_DIR. numba wants to write there even to read. A stamp beside them
tells without numba, whose import takes a quarter of a second, whether there is anything to load.
"""

import contextlib
import fcntl
import hashlib
import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent
_MODULES: Final = ("arriving", "sounding", "leaving", "plain")
_CONSTANTS: Final = (
    "dsp/levels.py",
    "dsp/limiter.py",
    "dsp/speech.py",
    "formats/sampled.py",
    "plain.py",
    "receive/action.py",
    "receive/arrivals.py",
    "receive/playout.py",
    "rtp/header.py",
    "rtp/reception.py",
    "transports/base.py",
)
"""Files whose constants or types are compiled in; numba itself looks at a function's own file only."""


def directory() -> Path:
    """Where compiled loops are kept."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    return Path(own) / "parley" if own else _HERE / "__pycache__" / "numba"


def ready() -> bool:
    """Whether `functions` has nothing to compile."""
    try:
        stamp, *kept = (directory() / "stamp").read_text().splitlines()
        return stamp == _stamp() and set(kept) <= set(_kept()) and os.access(directory(), os.W_OK)
    except (OSError, ValueError, PackageNotFoundError):
        return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one process compile at a time; others wait. Raises OSError where nothing can be kept."""
    directory().parent.mkdir(parents=True, exist_ok=True)
    with (directory().parent / "compiling.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def functions(*, checked: bool = True) -> dict[str, Callable[..., Any]]:
    """Compile, or load, everything. Raises ImportError without numba, OSError where nothing can be kept.

    `checked`: each call makes sure that its arguments have the types the loop was compiled for, which takes longer than
    a small conference's work.
    """
    import numba  # heavy, and not always there

    numba.config.CACHE_DIR = str(directory())  # type: ignore[attr-defined, unused-ignore]
    for name in _MODULES:
        importlib.import_module(f"mixer.kernels.{name}")
    loops = importlib.import_module("mixer.kernels.registry").LOOPS
    return {name: _compiled(numba, loop, checked) for name, loop in loops.items()}


def _compiled(numba: Any, loop: Any, checked: bool) -> Callable[..., Any]:
    types = loop.types if isinstance(loop.types, str) else tuple(numba.typeof(each) for each in loop.types())
    dispatcher = numba.njit(types, cache=True)(loop.function)
    (only,) = dispatcher.overloads.values()
    function: Callable[..., Any] = dispatcher if checked else only.entry_point
    return function


def compile_all() -> None:
    """Compile everything anew. Raises as `functions` does."""
    shutil.rmtree(directory(), ignore_errors=True)
    directory().mkdir(parents=True)
    functions()
    (directory() / "stamp").write_text("\n".join([_stamp(), *_kept()]))


def _kept() -> list[str]:
    """What there is of compiled code, so that what was cut off on its way to the disk is not taken for it."""
    files = sorted(path for path in directory().rglob("*.nb?") if path.is_file())
    return [f"{file.relative_to(directory())} {file.stat().st_size}" for file in files]


def _stamp() -> str:
    """What compiled code depends on. Raises PackageNotFoundError without numba."""
    files = [*sorted(_HERE.glob("*.py")), *(_HERE.parent / name for name in _CONSTANTS)]
    states = [f"{file.name} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in files]
    words = [sys.version, version("numba"), version("llvmlite"), _processor(), *states]
    return hashlib.sha256("\n".join(words).encode()).hexdigest()


def _processor() -> str:
    """The kind of processor: code compiled for one may use what another lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    )
