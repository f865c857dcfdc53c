"""Copies in a second place: of memory, of another folder, and of a bucket behind a real HTTP server."""

import hashlib
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from recording.catalog import Manifest, RecordingsFolder, folder_name
from server.recordings import copying
from server.recordings.copies import Copies, CopyFailed
from server.recordings.remote import CopyDiffersError, RemoteFolder
from server.tasks import Tasks
from tests.server.recordings.making import finished

PLACES = ("memory", "file", "s3")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket of a server on loopback, which speaks S3's protocol; credentials are in the environment."""
    server_module = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server: Any = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir("calls")
        yield "s3://calls"
    server.stop()


@pytest.fixture(params=PLACES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place of each kind in turn."""
    name = uuid.uuid4().hex
    match request.param:
        case "memory":
            return f"memory://{name}/recordings"
        case "file":
            return f"file://{tmp_path}/elsewhere/{name}"
        case _:
            return f"{request.getfixturevalue('bucket')}/{name}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
def manifest(directory: Path) -> Manifest:
    return finished(directory)


def names_at(url: str, manifest: Manifest) -> set[str]:
    files, root = fsspec.core.url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
    folder = f"{root}/{folder_name(manifest.recording_id)}"
    return {str(path).rsplit("/", 1)[-1] for path in files.find(folder)} if files.exists(folder) else set()


ALL = {"audio.wav", "track-0.flac", "track-1.flac", "manifest.json"}


def test_all_files_are_copied_and_come_back_as_they_were(url: str, directory: Path, manifest: Manifest) -> None:
    cache = directory / folder_name(manifest.recording_id) / "cache"
    cache.mkdir()
    (cache / "audio.mp3").write_bytes(b"rendered")
    remote = RemoteFolder(url)
    remote.put(directory, manifest)
    assert names_at(url, manifest) == ALL
    RecordingsFolder(directory).delete(manifest.recording_id)
    audio = manifest.files.audio
    assert audio is not None
    remote.get(directory, manifest, audio.name)
    folder = directory / folder_name(manifest.recording_id)
    assert hashlib.sha256((folder / audio.name).read_bytes()).hexdigest() == audio.sha256
    assert [path.name for path in folder.iterdir()] == [audio.name]


def test_what_is_there_already_is_not_sent_again(url: str, directory: Path, manifest: Manifest) -> None:
    remote = RemoteFolder(url)
    remote.put(directory, manifest)
    sent: list[str] = []
    remote._files.put_file = lambda here, there: sent.append(there)
    remote.put(directory, manifest)
    assert sent == []


def test_what_is_there_but_differs_is_sent_again(url: str, directory: Path, manifest: Manifest) -> None:
    remote = RemoteFolder(url)
    remote.put(directory, manifest)
    path = f"{remote._root}/{folder_name(manifest.recording_id)}/audio.wav"
    content = remote._files.cat_file(path)
    remote._files.pipe_file(path, bytes(len(content)))
    remote.put(directory, manifest)
    assert remote._files.cat_file(path) == content


def test_a_place_that_keeps_something_else_is_found_out(url: str, directory: Path, manifest: Manifest) -> None:
    remote = RemoteFolder(url)
    put = remote._files.pipe_file

    def torn(here: str, there: str) -> None:
        content = bytearray(Path(here).read_bytes())
        content[-1] ^= 1
        put(there, bytes(content))

    remote._files.put_file = torn
    with pytest.raises(CopyDiffersError, match=r"audio\.wav"):
        remote.put(directory, manifest)
    assert "manifest.json" not in names_at(url, manifest)


def test_what_comes_back_differently_is_not_taken(url: str, directory: Path, manifest: Manifest) -> None:
    remote = RemoteFolder(url)
    remote.put(directory, manifest)
    remote._files.pipe_file(f"{remote._root}/{folder_name(manifest.recording_id)}/audio.wav", b"something else")
    RecordingsFolder(directory).delete(manifest.recording_id)
    with pytest.raises(CopyDiffersError, match=r"audio\.wav"):
        remote.get(directory, manifest, "audio.wav")
    assert list((directory / folder_name(manifest.recording_id)).iterdir()) == []


def test_an_erased_copy_is_gone_with_all_its_files_and_no_others(url: str, directory: Path, manifest: Manifest) -> None:
    other = finished(directory)
    remote = RemoteFolder(url)
    for each in (manifest, other):
        remote.put(directory, each)
    remote.erase(manifest.recording_id)
    remote.erase(manifest.recording_id)
    assert names_at(url, manifest) == set()
    assert names_at(url, other) == ALL


def test_a_damaged_file_is_not_copied(directory: Path, manifest: Manifest, tmp_path: Path) -> None:
    (directory / folder_name(manifest.recording_id) / "track-1.flac").write_bytes(b"damaged")
    with pytest.raises(CopyDiffersError, match="not copied"):
        RemoteFolder(f"file://{tmp_path}/elsewhere").put(directory, manifest)


async def test_a_child_copies_fetches_and_erases(bucket: str, directory: Path, manifest: Manifest) -> None:
    url = f"{bucket}/{uuid.uuid4().hex}"
    tasks = Tasks()
    copies = Copies(url + "/", directory, tasks)
    await copies.put(manifest.recording_id)
    assert names_at(url, manifest) == ALL
    assert copies.url_of(manifest.recording_id) == f"{url}/{folder_name(manifest.recording_id)}"
    RecordingsFolder(directory).delete(manifest.recording_id)
    await copies.fetch(manifest, ["audio.wav", "track-0.flac"])
    folder = RecordingsFolder(directory)
    assert folder.manifest(manifest.recording_id) == manifest
    os.close(folder.open(manifest.recording_id, "track-0.flac"))
    await copies.erase(manifest.recording_id)
    assert names_at(url, manifest) == set()
    await tasks.cancel_all()


async def test_a_place_that_is_not_there_is_told(directory: Path, manifest: Manifest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CopyFailed, match=r"NotADirectory|FileExists"):
        await Copies(f"file://{tmp_path}/file", directory, Tasks()).put(manifest.recording_id)


def test_the_child_says_what_is_wrong(capsys: pytest.CaptureFixture[str], directory: Path, manifest: Manifest) -> None:
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "setpriority", lambda *_: None)
        assert copying.main(["sing", "memory://there", str(directory), manifest.recording_id]) == 1
        assert "sing is none of put, get, erase" in capsys.readouterr().err
        assert copying.main(["put", "memory://there", str(directory), str(uuid.uuid4())]) == 1
        assert "FileNotFoundError" in capsys.readouterr().err
    assert os.getpriority(os.PRIO_PROCESS, 0) == niceness
