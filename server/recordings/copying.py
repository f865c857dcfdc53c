"""The child that copies recordings: `python -m server.recordings.copying put|get|erase URL FOLDER ID [FILE...]`.

It is a process of its own so that the server, which has conferences to serve, neither loads the libraries of storages
nor computes digests, and can end while a copy is under way. Exits with 0, or with 1 and a line on standard error.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from recording.catalog import RecordingsFolder
from server.recordings.model import MANIFEST
from server.recordings.remote import RemoteFolder

_NICENESS: Final = 10
_WITHOUT_FILES: Final = 4


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    task, url, directory, recording_id = arguments[:_WITHOUT_FILES]
    try:
        _do(task, RemoteFolder(url), Path(directory), recording_id, arguments[_WITHOUT_FILES:])
    # Storages raise what they like; whatever it is, somebody is to read it, and the server tries again.
    except Exception as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _do(task: str, remote: RemoteFolder, directory: Path, recording_id: str, files: Sequence[str]) -> None:
    folder = RecordingsFolder(directory)
    if task == "erase":
        remote.erase(recording_id)
    elif task == "put":
        remote.put(directory, folder.manifest(recording_id))
    elif task == "get":
        manifest = folder.manifest(recording_id)
        for file in files:
            if file != MANIFEST:
                remote.get(directory, manifest, file)
    else:
        raise ValueError(f"{task} is none of put, get, erase")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
