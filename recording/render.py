"""Making a finished recording into another format: `python -m recording.render FOLDER ID FORMAT [--left=CALL]`.

Decides what each view has in it and that a rendered file appears whole, in the recording's cache, whoever else
renders it at the same time. It runs as a child at low priority; formats' settings are in `encoding`.
"""

import argparse
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from recording.catalog.checking import MalformedError
from recording.catalog.children import FORMATS, Format, NothingToRenderError, rendered_name
from recording.catalog.manifest import Manifest
from recording.catalog.names import CACHE, folder_name
from recording.disk import open_file, open_folder, unlink_if_there
from recording.encoding import Piece, encode, write_wav
from recording.split import split_pieces
from recording.views import audio_pieces

_NICENESS: Final = 10


def render(directory: Path, recording_id: str, form: Format, left_call_id: str | None = None) -> None:
    """Make the file that `render_path` tells of, unless it is there.

    Raises NothingToRenderError, MalformedError, OSError, and ValueError if the id is no UUID.
    """
    root_fd = open_folder(directory)
    try:
        folder_fd = open_folder(folder_name(recording_id), root_fd)
        try:
            _render(folder_fd, Manifest.load(Path(f"/proc/self/fd/{folder_fd}")), form, left_call_id)
        finally:
            os.close(folder_fd)
    finally:
        os.close(root_fd)


def _render(folder_fd: int, manifest: Manifest, form: Format, left_call_id: str | None) -> None:
    name = rendered_name(manifest, form, left_call_id)
    if name is None:
        return
    with suppress(FileExistsError):
        os.mkdir(CACHE, 0o750, dir_fd=folder_fd)
    cache_fd = open_folder(CACHE, folder_fd)
    try:
        with _alone_at(name, cache_fd) as unfinished:
            if unfinished is None:
                return
            pieces: Iterator[Piece | int]
            if left_call_id is None:
                channels, pieces = 1, audio_pieces(folder_fd, manifest)
            else:
                channels, pieces = 2, split_pieces(folder_fd, manifest, left_call_id)
            if form == "wav":
                write_wav(unfinished, cache_fd, manifest.sample_rate, channels, manifest.samples, pieces)
            else:
                encode(unfinished, cache_fd, form, manifest.sample_rate, channels, pieces)
            os.rename(unfinished, name, src_dir_fd=cache_fd, dst_dir_fd=cache_fd)
    finally:
        os.close(cache_fd)


@contextmanager
def _alone_at(name: str, cache_fd: int) -> Iterator[str | None]:
    """Within, this process alone may write the file of the name that is given; None if another has made it."""
    unfinished = f"{name}.tmp"
    fd = _locked(unfinished, cache_fd)
    try:
        if _is_there(name, cache_fd):
            unlink_if_there(unfinished, cache_fd)
            yield None
        else:
            yield unfinished
    except BaseException:
        unlink_if_there(unfinished, cache_fd)
        raise
    finally:
        os.close(fd)


def _locked(unfinished: str, cache_fd: int) -> int:
    """A descriptor of the file of that name, locked. Whoever had the lock before may have renamed or removed the file
    meanwhile; then it is another one that counts.
    """
    while True:
        fd = open_file(unfinished, cache_fd, os.O_RDWR | os.O_CREAT)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if _is_at(unfinished, fd, cache_fd):
            return fd
        os.close(fd)


def _is_there(name: str, folder_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _is_at(name: str, fd: int, folder_fd: int) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(name, dir_fd=folder_fd, follow_symlinks=False))
    except FileNotFoundError:
        return False


def main(arguments: list[str] | None = None) -> int:
    """Render one file; why it can't goes to stderr."""
    parser = argparse.ArgumentParser(prog="python -m recording.render", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where all recordings are")
    parser.add_argument("recording_id", metavar="ID")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--left", metavar="CALL", help="this call's voice left, all others right")
    options = parser.parse_args(arguments)
    try:
        render(options.folder, options.recording_id, options.format, options.left)
    except (NothingToRenderError, MalformedError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    sys.exit(main())
