"""What gets into captures and when, and that no trouble with the disk comes out of a recorder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recording.capture import CaptureName
from recording.catalog import Manifest, folder_name
from recording.catalog.names import PART_SUFFIX
from recording.recorder import Recorder
from recording.wav import HEADER_BYTES
from tests.recording.making import STARTED, config_in, decoded, published, record, recorder_in, tone


def part_of(recorder: Recorder, directory: Path) -> Path:
    return directory / (folder_name(recorder._config.recording_id) + PART_SUFFIX)


def test_captures_play_while_they_grow(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(200), tracks=[7])
    recorder.sync(10.0)
    part = part_of(recorder, tmp_path)
    rate, sound = decoded(part / "mix-8000.wav")
    assert rate == 8000
    assert np.array_equal(sound[0], np.concatenate([tone(tick, 8000) for tick in range(200)]))
    assert np.array_equal(decoded(part / "track-0-8000.wav")[1], sound)


def test_sound_waits_for_200_ms_and_no_longer(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.sync(0.0)
    mix = part_of(recorder, tmp_path) / "mix-8000.wav"
    record(recorder, range(1, 3))
    recorder.sync(0.15)
    assert mix.stat().st_size == HEADER_BYTES
    recorder.sync(0.2)
    assert mix.stat().st_size == HEADER_BYTES + 3 * 320
    assert recorder.bytes_written == 2 * 320
    assert recorder.kept_ms() == 60


def test_silence_takes_no_space(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(1), rate=48_000)
    hour = 180_000
    record(recorder, range(hour - 1, hour), rate=48_000)
    recorder.sync(3600.0)
    mix = (part_of(recorder, tmp_path) / "mix-48000.wav").stat()
    assert mix.st_size == HEADER_BYTES + hour * 960 * 2
    assert mix.st_blocks * 512 < 100_000


def test_a_tick_that_comes_again_or_from_nowhere_changes_nothing(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    recorder.frame(50, (8000, np.full(160, 9999, np.int16)), [])
    recorder.frame(2**62, (8000, np.full(160, 9999, np.int16)), [])
    recorder.frame(100, (8000, np.full(99, 9999, np.int16)), [(0, 44_100, np.full(882, 1, np.int16))])
    manifest = recorder.finish("stopped", 100)
    _, sound = decoded(published(tmp_path, manifest.recording_id) / "audio.wav")
    assert sound.shape == (1, 101 * 160)
    assert np.array_equal(sound[0, :16000], np.concatenate([tone(tick, 8000) for tick in range(100)]))
    assert not sound[0, 16000:].any()


def test_arrays_are_copied_as_the_feed_reuses_its_memory(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    shared = np.full(160, 1000, np.int16)
    recorder.frame(0, (8000, shared), [(0, 8000, shared)])
    shared[:] = -1
    record(recorder, range(1, 10))
    manifest = recorder.finish("stopped", 9)
    folder = published(tmp_path, manifest.recording_id)
    assert (decoded(folder / "audio.wav")[1][0, :160] == 1000).all()
    assert (decoded(folder / "track-0.flac")[1][0, :160] == 1000).all()


def test_a_stop_mark_ends_it_whatever_comes_after(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(50))
    recorder.mark(50, {"stop": True})
    assert recorder.stopped
    record(recorder, range(50, 80))
    recorder.mark(60, {"pause": "skip"})
    recorder.gap(60, 5, "overrun")
    manifest = recorder.finish("stopped", 79)
    assert (manifest.duration_s, manifest.samples, manifest.gaps, manifest.pauses) == (1.0, 8000, (), ())
    assert manifest.ended_at == STARTED + 1.0


def test_an_index_given_to_another_call_is_another_track_and_a_call_that_returns_is_the_same(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.mark(0, {"track": 3, "call_id": "anna"})
    record(recorder, range(50), tracks=[3])
    recorder.mark(50, {"track": 3, "call_id": "ben"})
    record(recorder, range(50, 100), tracks=[3])
    recorder.mark(100, {"track": 9, "call_id": "anna"})
    record(recorder, range(100, 150), tracks=[9])
    manifest = recorder.finish("stopped", 149)
    tracks = {track.call_id: track for track in manifest.files.tracks}
    assert list(tracks) == ["anna", "ben"]
    folder = published(tmp_path, manifest.recording_id)
    _, anna = decoded(folder / tracks["anna"].name)
    assert anna[0, :8000].any() and not anna[0, 8000:16000].any() and anna[0, 16000:].any()
    assert (tracks["ben"].joined_offset_s, tracks["ben"].duration_s) == (1.0, 1.0)


def test_a_track_is_kept_when_nobody_said_whose_it_is_and_gets_its_name_late(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(50), tracks=[3, 4])
    recorder.mark(50, {"track": 3, "call_id": "anna"})
    record(recorder, range(50, 100), tracks=[3])
    manifest = recorder.finish("stopped", 99)
    assert [(track.call_id, track.duration_s) for track in manifest.files.tracks] == [("anna", 2.0), ("", 1.0)]


def test_without_tracks_only_the_mix_is_kept(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, tracks=False)
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    record(recorder, range(50), tracks=[0])
    manifest = recorder.finish("stopped", 49)
    folder = published(tmp_path, manifest.recording_id)
    assert sorted(path.name for path in folder.iterdir()) == ["audio.wav", "manifest.json"]


def test_marks_that_mean_nothing_are_ignored(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    for mark in ({}, {"track": "x"}, {"pause": "later"}, {"joined": 5}, {"muted": None}, {"what": {"ever": []}}):
        recorder.mark(3, mark)
    recorder.mark(-1, {"stop": True})
    recorder.mark(2**70, {"stop": True})
    recorder.gap(5, -3, "overrun")
    recorder.note(float("nan"), {"kind": "joined", "call_id": "anna"})
    record(recorder, range(10, 20))
    manifest = recorder.finish("stopped", 19)
    assert (manifest.status, manifest.participants, manifest.pauses, manifest.gaps) == ("completed", (), (), ())


def test_a_recorder_goes_on_where_a_killed_one_left_off(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    first = Recorder(tmp_path, config, lambda: STARTED)
    first.mark(0, {"track": 2, "call_id": "anna"})
    record(first, range(100), tracks=[2])
    first.sync(10.0)
    record(first, range(100, 105), tracks=[2])  # still waiting to be written
    first._close()

    second = Recorder(tmp_path, config, lambda: STARTED)
    assert second.failed is None
    assert second.last_tick == 99
    record(second, range(120, 200), tracks=[2])
    manifest = second.finish("stopped", 199)
    assert (manifest.status, manifest.recovered, manifest.lost_ms) == ("completed", True, 400)
    assert [(gap.at_s, gap.duration_s, gap.reason) for gap in manifest.gaps] == [(2.0, 0.4, "recorder")]
    folder = published(tmp_path, manifest.recording_id)
    expected = np.concatenate([tone(tick, 8000) for tick in range(200)])
    expected[100 * 160 : 120 * 160] = 0
    for name in ("audio.wav", "track-0.flac"):
        assert np.array_equal(decoded(folder / name)[1][0], expected)


def test_a_pause_in_which_a_recorder_died_is_no_loss(tmp_path: Path) -> None:
    first = recorder_in(tmp_path)
    record(first, range(50))
    first.mark(50, {"pause": "silence"})
    first.sync(9.0)
    first._close()
    manifest = recorder_in(tmp_path, recording_id=first._config.recording_id).finish("stopped", 149)
    assert (manifest.recovered, manifest.lost_ms, manifest.gaps, manifest.duration_s) == (True, 0, (), 3.0)


def test_a_folder_with_a_living_recorder_is_left_to_it(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    first = Recorder(tmp_path, config, lambda: STARTED)
    second = Recorder(tmp_path, config, lambda: STARTED)
    assert second.failed == "io_error"
    record(second, range(20))
    assert second.finish("stopped", 19).status == "failed"
    record(first, range(20))
    assert first.finish("stopped", 19).status == "completed"


def test_a_published_recording_is_not_written_over(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(20))
    manifest = recorder.finish("stopped", 19)
    again = Recorder(tmp_path, recorder._config, lambda: STARTED)
    assert again.failed is not None
    assert again.finish("stopped", 5).files.audio is None
    assert Manifest.load(published(tmp_path, manifest.recording_id)) == manifest
    assert [path.name for path in tmp_path.iterdir()] == [folder_name(manifest.recording_id)]


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_a_folder_that_is_none_fails_the_recording_and_nothing_else(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").touch()
    recorder = recorder_in(tmp_path / folder)
    assert recorder.failed == "folder_gone"
    assert folder in recorder.detail
    recorder.mark(0, {"joined": "anna"})
    record(recorder, range(100), tracks=[0])
    recorder.sync(2.0)
    manifest = recorder.finish("stopped", 99)
    assert (manifest.status, manifest.reason, manifest.files.audio) == ("failed", "folder_gone", None)
    assert recorder.kept_ms() == 0


def test_a_folder_that_vanishes_is_noticed_and_fails_the_recording(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    recorder.sync(2.0)
    shutil.rmtree(part_of(recorder, tmp_path))
    record(recorder, range(100, 200))
    recorder.sync(4.0)
    assert recorder.failed == "folder_gone"
    assert recorder.kept_ms() >= 2000
    manifest = recorder.finish("stopped", 199)
    assert (manifest.status, manifest.reason) == ("failed", "folder_gone")


def test_a_folder_that_vanishes_at_the_last_moment(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    shutil.rmtree(part_of(recorder, tmp_path))
    manifest = recorder.finish("stopped", 99)
    assert (manifest.status, recorder.failed) == ("failed", "folder_gone")


def test_a_read_only_folder_fails_the_recording(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        assert recorder_in(tmp_path).failed == "read_only"
        return
    # Permissions don't stop root, so nobody has to try, for whom the root folder is read-only.
    script = (
        "import json, os; from pathlib import Path; from tests.recording.making import recorder_in\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "recorder = recorder_in(Path('/')); manifest = recorder.finish('stopped', 5)\n"
        "print(json.dumps([recorder.failed, manifest.status]))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == ["read_only", "failed"]


def test_capture_names_are_read_as_they_are_written() -> None:
    for name in (CaptureName(None, 8000), CaptureName(0, 48_000), CaptureName(1234, 16_000)):
        assert CaptureName.parse(str(name)) == name
    for name in ("mix-44100.wav", "track--1-8000.wav", "track-0-8000.wav.tmp", "journal.jsonl", "../mix-8000.wav"):
        assert CaptureName.parse(name) is None
