"""A second place for recordings, by fsspec: a bucket, a share, another disk. Blocking; `copying` runs it in a child.

Decides the layout there (a folder for each recording, named as here), and when a copy counts as whole: the size is
right, and so is its content, by its MD5 ETag or by reading it back. The manifest comes last, so that where there is
one, all it names is there.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import fsspec

from recording.catalog import Manifest, PublishedFile, PublishedTrack, folder_name
from server.recordings.model import MANIFEST

_LOCAL: Final = frozenset({"file", "local"})
_BLOCK_BYTES: Final = 1 << 20


class CopyDiffersError(Exception):
    """A file is not there as it is here."""


class RemoteFolder:
    """The folder of all recordings at a URL. Methods raise OSError and what the storage's library raises."""

    def __init__(self, url: str) -> None:
        protocol = url.partition("://")[0]
        # Listings that are remembered would show files that are gone, or none that are new.
        options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
        if protocol in _LOCAL:
            options["auto_mkdir"] = True
        self._files, root = fsspec.core.url_to_fs(url, **options)
        self._root = str(root).rstrip("/")

    def put(self, directory: Path, manifest: Manifest) -> None:
        """Copy a recording there, leaving out files that are there already; raise CopyDiffersError if one is not
        there afterwards as it is here.
        """
        name = folder_name(manifest.recording_id)
        for file, sha256 in [*_files(manifest).items(), (MANIFEST, None)]:
            here, there = directory / name / file, self._path(name, file)
            digests = _Digests.of(here)
            if sha256 is not None and digests.sha256 != sha256:
                raise CopyDiffersError(f"{here} is not what the manifest says; it is not copied")
            if self._holds(there, digests):
                continue
            self._files.put_file(str(here), there)
            if not self._holds(there, digests):
                raise CopyDiffersError(f"{there} is not what was written to it")

    def get(self, directory: Path, manifest: Manifest, file: str) -> None:
        """Copy a file of a recording back; it appears whole. Raises CopyDiffersError."""
        folder = directory / folder_name(manifest.recording_id)
        folder.mkdir(mode=0o750, exist_ok=True)
        unfinished = folder / f"{file}.{uuid4().hex}.tmp"
        try:
            self._files.get_file(self._path(folder.name, file), str(unfinished))
            sha256 = _files(manifest).get(file)
            if sha256 is not None and _Digests.of(unfinished).sha256 != sha256:
                raise CopyDiffersError(f"{self._path(folder.name, file)} is not what the manifest says")
            with unfinished.open("rb") as written:
                os.fsync(written.fileno())
            unfinished.replace(folder / file)
        finally:
            unfinished.unlink(missing_ok=True)

    def erase(self, recording_id: str) -> None:
        """Remove a recording there, if it is there."""
        path = f"{self._root}/{folder_name(recording_id)}"
        try:
            self._files.rm(path, recursive=True)
        except FileNotFoundError:
            return

    def _holds(self, path: str, digests: "_Digests") -> bool:
        try:
            info = self._files.info(path)
        except FileNotFoundError:
            return False
        if info["size"] != digests.size:
            return False
        etag = str(info.get("ETag", "")).strip('"')
        # An ETag that differs says nothing: that of a large or encrypted object is no MD5 of its content.
        return etag == digests.md5 or self._sha256(path) == digests.sha256

    def _sha256(self, path: str) -> str:
        with self._files.open(path, "rb") as file:
            digest = hashlib.sha256()
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
            return digest.hexdigest()

    def _path(self, folder: str, file: str) -> str:
        return f"{self._root}/{folder}/{file}"


class _Digests:
    """What tells one content from another."""

    def __init__(self, size: int, md5: str, sha256: str) -> None:
        self.size, self.md5, self.sha256 = size, md5, sha256

    @staticmethod
    def of(path: Path) -> "_Digests":
        """Of a file; reads it once."""
        md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                md5.update(block)
                sha256.update(block)
                size += len(block)
        return _Digests(size, md5.hexdigest(), sha256.hexdigest())


def _files(manifest: Manifest) -> dict[str, str]:
    """Return what a manifest names, with the SHA-256 of each."""
    files = manifest.files
    all_of_them: list[PublishedFile | PublishedTrack | None] = [files.audio, files.room, *files.tracks, *files.captures]
    return {file.name: file.sha256 for file in all_of_them if file is not None}
