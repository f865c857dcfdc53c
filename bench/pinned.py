"""Programs that are measured or killed: started on a core of their own choosing, with a log whose end can be shown."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""Where modules are started from."""
_SHOWN_LINES: Final = 20


@contextmanager
def on(core: int | None) -> Iterator[None]:
    """What is started within is kept on a core, and so is all that it starts; None: where this process is."""
    cores = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def start(
    command: Sequence[str], log: Path, core: int | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program, with what it prints added to its log; it is not waited for."""
    with log.open("ab") as output, on(core):
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment with no setting of Parley in it but these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")} | settings


def log_tail(log: Path) -> str:
    """The last lines of a log, each on a line of its own, to be put behind a message."""
    lines = log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
    return "".join(f"\n    {line}" for line in lines)
