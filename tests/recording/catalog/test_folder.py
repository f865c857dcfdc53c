import os
import uuid
from pathlib import Path

import pytest

from recording.catalog import RecordingsFolder, folder_name, recording_id_of
from tests.recording.making import record, recorder_in


@pytest.fixture
def recording_id(tmp_path: Path) -> str:
    recorder = recorder_in(tmp_path)
    record(recorder, range(50), tracks=[0])
    return recorder.finish("stopped", 49).recording_id


def test_names_are_made_of_ids_alone() -> None:
    recording_id = str(uuid.uuid4())
    name = folder_name(recording_id)
    assert name == "rec_" + recording_id.replace("-", "")
    assert recording_id_of(name) == recording_id_of(name + ".part") == recording_id
    for wrong in ("../etc", "", "rec_" + "0" * 31, "x" * 32):
        with pytest.raises(ValueError):
            folder_name(wrong)
    for foreign in (
        "rec_",
        "rec_" + "g" * 32,
        name + ".deleted",
        name + "\n",
        name.upper(),
        name + ".part.part",
        "lost+found",
    ):
        assert recording_id_of(foreign) is None


def test_only_our_folders_are_listed(tmp_path: Path, recording_id: str) -> None:
    unfinished = str(uuid.uuid4())
    (tmp_path / (folder_name(unfinished) + ".part")).mkdir()
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").touch()
    listed = RecordingsFolder(tmp_path).listed()
    assert (listed.finished, listed.unfinished) == ((recording_id,), (unfinished,))


def test_files_are_opened_by_the_names_we_gave(tmp_path: Path, recording_id: str) -> None:
    folder = RecordingsFolder(tmp_path)
    manifest = folder.manifest(recording_id)
    for file in manifest.all_files():
        with os.fdopen(folder.open(recording_id, file.name), "rb") as opened:
            assert len(opened.read()) == file.byte_size
    assert folder.used_bytes(recording_id) >= sum(file.byte_size for file in manifest.all_files())
    assert folder.free_bytes() > 0
    for name in ("../" + folder_name(recording_id) + "/audio.wav", "/etc/passwd", ".", "journal.jsonl", "room.flac"):
        with pytest.raises(FileNotFoundError):
            folder.open(recording_id, name)
    with pytest.raises(FileNotFoundError):
        folder.open(str(uuid.uuid4()), "audio.wav")
    with pytest.raises(FileNotFoundError):
        folder.open(recording_id, "audio.mp3", rendered=True)


def test_links_and_pipes_in_place_of_files_are_not_opened(tmp_path: Path, recording_id: str) -> None:
    folder = RecordingsFolder(tmp_path)
    path = tmp_path / folder_name(recording_id)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (path / "audio.wav").unlink()
    (path / "audio.wav").symlink_to(secret)
    with pytest.raises(OSError):
        folder.open(recording_id, "audio.wav")
    (path / "room.flac").mkdir()
    os.mkfifo(path / "track-7.flac")
    for name in ("room.flac", "track-7.flac"):
        with pytest.raises(FileNotFoundError):
            folder.open(recording_id, name)
    planted = str(uuid.uuid4())
    (tmp_path / folder_name(planted)).symlink_to(path)
    with pytest.raises(OSError):
        folder.manifest(planted)
    with pytest.raises(OSError):
        folder.delete(planted)
    assert path.is_dir()


def test_deleting_takes_everything_and_follows_no_link(tmp_path: Path, recording_id: str) -> None:
    folder = RecordingsFolder(tmp_path)
    path = tmp_path / folder_name(recording_id)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").touch()
    (path / "cache").mkdir()
    (path / "cache" / "audio.mp3").touch()
    (path / "cache" / "link").symlink_to(secret)
    folder.delete(recording_id)
    assert [left.name for left in tmp_path.iterdir()] == ["secret"]
    assert (secret / "file").exists()
    with pytest.raises(FileNotFoundError):
        folder.delete(recording_id)


def test_a_deletion_that_was_cut_off_is_done_again(tmp_path: Path, recording_id: str) -> None:
    folder = RecordingsFolder(tmp_path)
    path = tmp_path / folder_name(recording_id)
    path.rename(path.with_name(path.name + ".deleted"))
    assert folder.listed().finished == ()
    (tmp_path / "other.deleted").mkdir()
    folder.clear_deleted()
    assert [left.name for left in tmp_path.iterdir()] == ["other.deleted"]


def test_an_unfinished_recording_is_not_deleted(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    with pytest.raises(FileNotFoundError):
        RecordingsFolder(tmp_path).delete(recorder._config.recording_id)
    assert recorder.finish("stopped", 0).status == "absent"
