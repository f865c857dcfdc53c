"""The journal of a recording that runs: a line of JSON for everything that its sound does not say.

Decides how lines are written and read again after a crash: a line that is torn or garbage is passed over, the
rest counts. Its lock tells whether the recorder lives. What lines mean is for `story`.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from recording.disk import open_file

FILE_NAME: Final = "journal.jsonl"

_LARGEST_BYTES: Final = 256 << 20
"""Of a journal that is read: weeks of many calls. More than that nobody of ours wrote."""

Line = Mapping[str, Any]


class Journal:
    """A journal open for writing, locked until it is closed. Raises OSError; BlockingIOError if it is locked.

    Without `create` there must be one.
    """

    def __init__(self, folder_fd: int, *, create: bool) -> None:
        self._fd = open_file(FILE_NAME, folder_fd, os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0))
        self._torn = True  # as a crash may have left it; an empty line in it is none
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise

    def append(self, line: Line) -> None:
        """Write a line; it survives this process from here on, and the machine from the next sync on."""
        content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if self._torn:
            content = b"\n" + content
        self._torn = True
        while content:
            content = content[os.write(self._fd, content) :]
        self._torn = False

    def sync(self) -> None:
        """Make all lines durable."""
        os.fdatasync(self._fd)

    def lines(self) -> list[Line]:
        """All lines that can be read."""
        found: list[Line] = []
        content = os.pread(self._fd, min(os.fstat(self._fd).st_size, _LARGEST_BYTES), 0)
        for text in content.split(b"\n"):
            # ValueError is bad JSON as well as bad UTF-8; deep nesting in garbage is a RecursionError.
            with contextlib.suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict):
                    found.append(line)
        return found

    def close(self) -> None:
        """Give the lock back."""
        os.close(self._fd)
