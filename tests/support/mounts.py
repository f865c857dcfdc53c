"""Servers that see a folder as no test can make it for root: full, or not to be written to."""

import shutil
import subprocess
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o "$1" none "$2" || exit 99; shift 2; exec "$@"'


def seeing(options: str, folder: Path) -> list[str]:
    """A command that runs another one, by the same pid, to which `folder` is a tmpfs with these options.

    Nobody else sees it but by `seen`. Skips the test where users may not do that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    command = ["unshare", "-Urm", "sh", "-c", _MOUNT, "sh", options, str(folder)]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no tmpfs in a user namespace here: {tried.stderr.strip()}")
    return command


def seen(pid: int, path: Path) -> Path:
    """A path as the process sees it."""
    return Path(f"/proc/{pid}/root{path}")
