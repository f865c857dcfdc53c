"""The folder of a recording that is not published yet: its files, and how it becomes a published one.

Decides the order that loses nothing: published files are made whole under other names and renamed, the manifest
comes last of them, only then go the captures, and the folder gets its final name. A crash in between leaves
either all captures or a manifest whose files are all there.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from recording.capture import CaptureName
from recording.catalog.manifest import FILE_NAME as MANIFEST
from recording.catalog.manifest import Manifest, PublishedFile
from recording.catalog.names import PART_SUFFIX
from recording.disk import names_in, open_file, open_folder, replace_with, unlink_if_there
from recording.journal import FILE_NAME as JOURNAL

_RESERVE: Final = "reserve"
_RESERVE_BYTES: Final = 256 << 10
"""Enough for some hundred calls and tracks."""
_UNFINISHED: Final = ".tmp"


class PartFolder:
    """An open folder below `parent_fd`, which stays the caller's. Raises OSError, as all its methods do."""

    def __init__(self, parent_fd: int, final_name: str) -> None:
        self.parent_fd, self.final_name = parent_fd, final_name
        self.name = final_name + PART_SUFFIX
        self.fd = open_folder(self.name, parent_fd)

    @staticmethod
    def make(parent_fd: int, final_name: str) -> "PartFolder":
        """Open one, making it if it isn't there. A published one of that name is a FileExistsError."""
        with suppress(FileNotFoundError):
            os.stat(final_name, dir_fd=parent_fd, follow_symlinks=False)
            raise FileExistsError(errno.EEXIST, "this recording is published already", final_name)
        with suppress(FileExistsError):
            os.mkdir(final_name + PART_SUFFIX, 0o750, dir_fd=parent_fd)
        return PartFolder(parent_fd, final_name)

    @property
    def gone(self) -> bool:
        """Whether somebody removed it."""
        return os.fstat(self.fd).st_nlink == 0

    def reserve(self) -> None:
        """Set space aside for the manifest, so that a full disk can still be told of."""
        fd = open_file(_RESERVE, self.fd, os.O_WRONLY | os.O_CREAT)
        try:
            os.posix_fallocate(fd, 0, _RESERVE_BYTES)
        finally:
            os.close(fd)

    def sync(self) -> None:
        """Make durable which files there are."""
        os.fsync(self.fd)

    def clear_unfinished(self) -> None:
        """Remove what publishing left that was cut off."""
        for name in names_in(self.fd):
            if name.endswith(_UNFINISHED):
                unlink_if_there(name, self.fd)

    def capture_names(self) -> list[CaptureName]:
        """The captures, the mix's first."""
        names = [parsed for name in names_in(self.fd) if (parsed := CaptureName.parse(name)) is not None]
        return sorted(names, key=lambda name: (-1 if name.track is None else name.track, name.sample_rate))

    @contextmanager
    def new_file(self, name: str) -> Iterator[str]:
        """Within, write a file of the name that is given; then it is renamed to `name`, or removed if that failed."""
        unfinished = name + _UNFINISHED
        try:
            yield unfinished
            os.rename(unfinished, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            unlink_if_there(unfinished, self.fd)
            raise

    def linked(self, name: str, other: str) -> str:
        """Give a file a second name, and return it; where files can't have two, return the one it has."""
        unlink_if_there(other, self.fd)
        try:
            os.link(name, other, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return name
        return other

    def measured(self, name: str, samples: int) -> PublishedFile:
        """A file's entry in the manifest; reads it whole."""
        with os.fdopen(open_file(name, self.fd, os.O_RDONLY), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return PublishedFile(name, samples, os.fstat(file.fileno()).st_size, digest)

    def read_manifest(self) -> Manifest | None:
        """The manifest, if publishing came so far. Raises MalformedError."""
        try:
            fd = open_file(MANIFEST, self.fd, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(fd, "rb") as file:
            return Manifest.parse(file.read())

    def holds(self, manifest: Manifest) -> bool:
        """Whether every file is there as the manifest says; reads them all."""
        try:
            return all(self.measured(file.name, 0).sha256 == file.sha256 for file in manifest.all_files())
        except FileNotFoundError:
            return False

    def conclude(self, manifest: Manifest) -> None:
        """Write the manifest, drop what is not published, and give the folder its final name."""
        self.clear_unfinished()
        unlink_if_there(_RESERVE, self.fd)
        self.sync()
        replace_with(manifest.dump(), MANIFEST, self.fd)
        kept = {file.name for file in manifest.all_files()} | {MANIFEST}
        # The journal goes last: its lock says that somebody is at it.
        for name in sorted(names_in(self.fd), key=lambda name: name == JOURNAL):
            if name not in kept:
                unlink_if_there(name, self.fd)
        self.sync()
        try:
            os.rename(self.name, self.final_name, src_dir_fd=self.parent_fd, dst_dir_fd=self.parent_fd)
        except FileNotFoundError:
            os.stat(self.final_name, dir_fd=self.parent_fd)  # another one concluded it meanwhile
        os.fsync(self.parent_fd)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)
