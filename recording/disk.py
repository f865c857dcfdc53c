"""Folders and files by descriptor: what a recording does to the disk, and what the disk's refusals are called.

Everything below the recordings' folder is reached from an open descriptor of its parent and never through a
link, so neither a moved folder nor a planted link leads elsewhere.
"""

import errno
import os
import resource
from pathlib import Path
from typing import Final

from recording.catalog.messages import FailureReason

_REASONS: Final[dict[int, FailureReason]] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.ENOENT: "folder_gone",
    errno.ENOTDIR: "folder_gone",
    errno.ESTALE: "folder_gone",
}


def reason_of(error: OSError) -> FailureReason:
    """What a failed write means for the recording. A file that may not grow is as good as a full disk."""
    return _REASONS.get(error.errno or 0, "io_error")


def open_folder(path: Path | str, parent_fd: int | None = None) -> int:
    """A descriptor of a folder. Below `parent_fd` no link is followed."""
    nofollow = 0 if parent_fd is None else os.O_NOFOLLOW
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | nofollow, dir_fd=parent_fd)


def open_file(name: str, folder_fd: int, flags: int) -> int:
    """A file in a folder; `flags` as for os.open. One that is made can be read by the group."""
    return os.open(name, flags | os.O_NOFOLLOW, 0o640, dir_fd=folder_fd)


def names_in(folder_fd: int) -> list[str]:
    """What is in an open folder."""
    return os.listdir(folder_fd)


def allow_many_files() -> None:
    """Let this process have as many files open as the system lets it ask for: each track of a recording is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def path_below(folder_fd: int, name: str) -> str:
    """A path of a file in an open folder, for libraries that only take paths. Holds while `folder_fd` is open."""
    return f"/proc/self/fd/{folder_fd}/{name}"


def write_all(fd: int, content: bytes | bytearray | memoryview, offset: int) -> None:
    """Write all of `content` at `offset` bytes. Raises OSError; what was written until then stays."""
    left = memoryview(content)
    while left:
        written = os.pwrite(fd, left, offset)
        left = left[written:]
        offset += written


def unlink_if_there(name: str, folder_fd: int) -> None:
    """Remove a file, if there is one."""
    try:
        os.unlink(name, dir_fd=folder_fd)
    except FileNotFoundError:
        return


def replace_with(content: bytes, name: str, folder_fd: int) -> None:
    """Make `content` the durable content of a file at once: after a crash it is the old file or the new one."""
    unfinished = f"{name}.tmp"
    fd = open_file(unfinished, folder_fd, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        write_all(fd, content, 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(unfinished, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
    os.fsync(folder_fd)
