"""The folder that all recordings are in: what is there, opening its files, deleting.

Decides that only folders and files with names of ours exist for this server, that no link is followed below the
folder, and that a recording is deleted at once or not at all. Methods block; the server calls them in a thread.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from recording.catalog.manifest import FILE_NAME, Manifest
from recording.catalog.names import (
    CACHE,
    PART_SUFFIX,
    folder_name,
    is_published_file,
    is_rendered_file,
    recording_id_of,
)

_DELETED: Final = ".deleted"
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Listed:
    """What the folder has."""

    finished: tuple[str, ...]
    """recording_ids."""
    unfinished: tuple[str, ...]


class RecordingsFolder:
    """All recordings of a server. Methods raise OSError, and ValueError for a recording_id that is no UUID.

    `directory` is followed wherever it leads, as it is the operator's; nothing below it is.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def listed(self) -> Listed:
        """Which recordings are there, by their folders' names alone."""
        finished: list[str] = []
        unfinished: list[str] = []
        for name in self._names():
            if (recording_id := recording_id_of(name)) is not None:
                (unfinished if name.endswith(PART_SUFFIX) else finished).append(recording_id)
        return Listed(tuple(finished), tuple(unfinished))

    def manifest(self, recording_id: str) -> Manifest:
        """Of a finished recording. Raises FileNotFoundError, MalformedError."""
        with os.fdopen(self.open(recording_id, FILE_NAME), "rb") as file:
            return Manifest.parse(file.read())

    def open(self, recording_id: str, name: str, *, rendered: bool = False) -> int:
        """A descriptor for reading one file of a finished recording, or of its cache. Raises FileNotFoundError, also
        for any other name than those we give.
        """
        allowed = is_rendered_file(name) if rendered else is_published_file(name)
        if not allowed:
            raise FileNotFoundError(f"a recording has no file {name!r}")
        with self._folder(folder_name(recording_id)) as folder_fd:
            if not rendered:
                return _open_regular(name, folder_fd)
            cache_fd = os.open(CACHE, _FOLDER_FLAGS, dir_fd=folder_fd)
            try:
                return _open_regular(name, cache_fd)
            finally:
                os.close(cache_fd)

    def used_bytes(self, recording_id: str) -> int:
        """What a finished recording takes of the disk, rendered files included. Holes take nothing."""
        with self._folder(folder_name(recording_id)) as folder_fd:
            return _used_bytes(folder_fd)

    def free_bytes(self) -> int:
        """What the disk has left for us."""
        disk = os.statvfs(self.directory)
        return disk.f_bavail * disk.f_frsize

    def delete(self, recording_id: str) -> None:
        """Remove a finished recording; from the first moment on it is not there. Raises FileNotFoundError."""
        name = folder_name(recording_id)
        with self._root() as root_fd:
            os.rename(name, name + _DELETED, src_dir_fd=root_fd, dst_dir_fd=root_fd)
            os.fsync(root_fd)
            _remove(name + _DELETED, root_fd)

    def clear_deleted(self) -> None:
        """Remove what deleting left that was cut off."""
        with self._root() as root_fd:
            for name in self._names():
                if name.endswith(_DELETED) and recording_id_of(name.removesuffix(_DELETED)) is not None:
                    _remove(name, root_fd)

    def _names(self) -> list[str]:
        return sorted(os.listdir(self.directory))  # noqa: PTH208 - names are what is wanted

    @contextmanager
    def _root(self) -> Iterator[int]:
        root_fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield root_fd
        finally:
            os.close(root_fd)

    @contextmanager
    def _folder(self, name: str) -> Iterator[int]:
        with self._root() as root_fd:
            folder_fd = os.open(name, _FOLDER_FLAGS, dir_fd=root_fd)
        try:
            yield folder_fd
        finally:
            os.close(folder_fd)


def _open_regular(name: str, folder_fd: int) -> int:
    """A file that is one, and no pipe that would never answer."""
    fd = os.open(name, _FILE_FLAGS, dir_fd=folder_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise FileNotFoundError(f"{name} is no file")
    return fd


def _used_bytes(folder_fd: int) -> int:
    total = 0
    with os.scandir(folder_fd) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    below_fd = os.open(entry.name, _FOLDER_FLAGS, dir_fd=folder_fd)
                    try:
                        total += _used_bytes(below_fd)
                    finally:
                        os.close(below_fd)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def _remove(name: str, parent_fd: int) -> None:
    """A folder with all that is in it, following no link."""
    folder_fd = os.open(name, _FOLDER_FLAGS, dir_fd=parent_fd)
    try:
        with os.scandir(folder_fd) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for inner, is_folder in found:
            if is_folder:
                _remove(inner, folder_fd)
            else:
                os.unlink(inner, dir_fd=folder_fd)
    finally:
        os.close(folder_fd)
    os.rmdir(name, dir_fd=parent_fd)
