"""Recorders killed at any moment, captures and journals cut at any byte: what is left is published and plays."""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from recording.catalog import Manifest, RecordingsFolder, folder_name, repair_command
from recording.catalog.names import PART_SUFFIX
from recording.part import PartFolder
from recording.recorder import Recorder
from recording.repair import StillRecordingError, main, repair
from tests.recording.dying import sample_at
from tests.recording.making import STARTED, config_in, decoded, published, record, recorder_in, tone

SEED = 20_250_611


def check(directory: Path, manifest: Manifest) -> None:
    """Everything the manifest says is so, and nothing else is in the folder."""
    folder = published(directory, manifest.recording_id)
    assert Manifest.load(folder) == manifest
    assert {path.name for path in folder.iterdir()} == {file.name for file in manifest.all_files()} | {"manifest.json"}
    for file in manifest.all_files():
        content = (folder / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.byte_size, file.sha256)
        rate, sound = decoded(folder / file.name)
        assert (rate, sound.shape) == (manifest.sample_rate, (1, file.samples))


def killed(directory: Path, recorder: Recorder) -> Path:
    """What a kill leaves of a recorder of this process: its files as they are, its lock gone."""
    recorder._close()
    return directory / (folder_name(recorder._config.recording_id) + PART_SUFFIX)


@pytest.mark.parametrize("run", range(10))
def test_a_recorder_killed_at_a_random_moment_loses_at_most_what_waited(tmp_path: Path, run: int) -> None:
    dice = random.Random(SEED + run)
    recording_id = str(uuid.UUID(int=dice.getrandbits(128), version=4))
    syncs = 400
    command = [sys.executable, "-m", "tests.recording.dying", tmp_path, recording_id, str(syncs * 5)]
    before = dice.choice([dice.randrange(syncs), syncs])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("x" * before)
        said = [process.stdout.readline() for _ in range(before)]
        # Now it waits; a moment after it goes on it is killed, in the last runs while it publishes.
        process.stdin.write("x" * min(20, syncs - before))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.0, 0.01 if before < syncs else 0.03))
        process.kill()
        said += process.stdout.read().split()
    synced = max((int(line) for line in said if line.strip().isdigit()), default=-1)
    listed = RecordingsFolder(tmp_path).listed()
    if listed.finished == (recording_id,):
        check(tmp_path, Manifest.load(published(tmp_path, recording_id)))
        return
    manifest = repair(tmp_path / (folder_name(recording_id) + PART_SUFFIX))
    assert (manifest.recording_id, manifest.status, manifest.recovered) == (recording_id, "completed", True)
    check(tmp_path, manifest)
    # A sync writes all that waits when 10 ticks have passed since the last, and every other one is such.
    kept_ticks = manifest.samples // 160
    assert kept_ticks >= synced + 1 - 10
    folder = published(tmp_path, recording_id)
    expected = np.concatenate([sample_at(tick, 8000) for tick in range(kept_ticks)])
    assert np.array_equal(decoded(folder / "audio.wav")[1][0], expected)
    assert len(manifest.files.tracks) == 3
    for track in manifest.files.tracks:
        _, sound = decoded(folder / track.name)
        # The kill may fall between the write of one file and that of the next.
        assert np.array_equal(sound[0, : expected.size - 1600], expected[:-1600])
        assert np.isin(sound[0, expected.size - 1600 :], [0, *expected[-1600:]]).all()


def a_crashed_recording(directory: Path) -> Path:
    recorder = recorder_in(directory)
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    recorder.mark(0, {"joined": "anna"})
    record(recorder, range(100), tracks=[0])
    recorder.frame(100, (48_000, tone(100, 48_000)), [(0, 8000, tone(100, 8000))])
    record(recorder, range(101, 150), rate=48_000)
    recorder.sync(100.0)
    return killed(directory, recorder)


@pytest.mark.parametrize("run", range(12))
def test_files_cut_at_any_byte_are_published_all_the_same(tmp_path: Path, run: int) -> None:
    dice = random.Random(SEED + run)
    part = a_crashed_recording(tmp_path)
    for path in sorted(part.iterdir()):
        if path.name != "reserve" and dice.random() < 0.7:
            os.truncate(path, dice.randrange(0, path.stat().st_size + 1))
    manifest = repair(part)
    assert manifest.recovered
    assert manifest.status in ("completed", "absent")
    check(tmp_path, manifest)
    assert not part.exists()


def test_garbage_in_the_journal_costs_only_itself(tmp_path: Path) -> None:
    part = a_crashed_recording(tmp_path)
    journal = part / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    garbage = [
        b"\x00\xff{\n",
        b"[1,2]\n",
        b'{"tick":1e999,"mark":{}}\n',
        b'{"tick":0,"mark":[]}\n',
        b"[" * 100_000 + b"\n",
    ]
    garbage += [
        b'{"unix":NaN,"note":{"kind":"joined","call_id":"x"}}\n',
        b'{"seen":99999999999999999999}\n',
        b'{"gap":',
    ]
    journal.write_bytes(b"".join([lines[0], *garbage[:3], *lines[1:], *garbage[3:]]))
    manifest = repair(part)
    check(tmp_path, manifest)
    assert [track.call_id for track in manifest.files.tracks] == ["anna"]
    assert manifest.duration_s == 3.0


def test_without_a_journal_the_sound_is_still_published(tmp_path: Path) -> None:
    part = a_crashed_recording(tmp_path)
    (part / "journal.jsonl").unlink()
    manifest = repair(part)
    check(tmp_path, manifest)
    assert (manifest.duration_s, len(manifest.files.tracks)) == (3.0, 1)
    assert manifest.files.tracks[0].call_id == ""


def test_a_folder_that_had_nothing_yet_becomes_an_absent_recording(tmp_path: Path) -> None:
    part = tmp_path / (folder_name(str(uuid.uuid4())) + PART_SUFFIX)
    part.mkdir()
    manifest = repair(part)
    assert (manifest.status, manifest.recovered) == ("absent", True)
    check(tmp_path, manifest)


def test_what_the_journal_had_seen_but_captures_have_not_is_lost(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    recorder.sync(9.0)
    recorder._tell({"seen": 114, "unix": STARTED + 2.3})
    manifest = repair(killed(tmp_path, recorder))
    assert (manifest.duration_s, manifest.lost_ms) == (2.0, 300)


def test_who_knows_until_when_it_should_have_gone_says_what_is_lost(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    recorder.sync(9.0)
    manifest = repair(killed(tmp_path, recorder), until_unix_s=STARTED + 2.5)
    assert (manifest.duration_s, manifest.lost_ms, manifest.reason) == (2.0, 500, "recorder_lost")


def test_a_living_recorders_folder_is_not_touched(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    part = tmp_path / (folder_name(recorder._config.recording_id) + PART_SUFFIX)
    with pytest.raises(StillRecordingError):
        repair(part)
    record(recorder, range(100, 150))
    manifest = recorder.finish("stopped", 149)
    assert (manifest.duration_s, manifest.recovered) == (3.0, False)
    check(tmp_path, manifest)


class KilledError(BaseException):
    """Stands for a kill: nothing catches it to go on."""


@pytest.mark.parametrize("trim", [True, False])
def test_publishing_cut_off_between_any_two_steps_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trim: bool
) -> None:
    """Each call that changes the folder is the last one once, also in the repair of what that left."""
    for steps in range(200):
        recorder = recorder_in(tmp_path, trim=trim)
        recorder.mark(0, {"track": 0, "call_id": "anna"})
        record(recorder, range(50, 75), tracks=[0])
        part = tmp_path / (folder_name(recorder._config.recording_id) + PART_SUFFIX)
        left = steps

        def counted(original: object, *arguments: object, **named: object) -> object:
            nonlocal left
            if left == 0:
                raise KilledError
            left -= 1
            return original(*arguments, **named)  # type: ignore[operator]

        with monkeypatch.context() as patched:
            for name in ("rename", "link", "unlink", "fsync"):
                patched.setattr(os, name, functools.partial(counted, getattr(os, name)))
            try:
                manifest = recorder.finish("stopped", 99)
                check(tmp_path, manifest)
                assert steps > 10
                return
            except KilledError:
                pass
            left = max(0, steps // 2)
            if part.exists():
                with contextlib.suppress(KilledError):
                    repair(part)
        if part.exists():
            repair(part)
        manifest = Manifest.load(published(tmp_path, recorder._config.recording_id))
        check(tmp_path, manifest)
        assert (manifest.status, manifest.reason, manifest.lost_ms) == ("completed", "stopped", 0)
        assert manifest.ended_at == STARTED + 2.0
        shutil.rmtree(published(tmp_path, manifest.recording_id))
    raise AssertionError("publishing never came to its end")


def test_a_manifest_whose_files_are_not_as_it_says_is_made_again(tmp_path: Path) -> None:
    part = a_crashed_recording(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(part, copy)
    manifest = repair(part)
    folder = published(tmp_path, manifest.recording_id)
    for path in copy.iterdir():
        shutil.copy(path, folder)
    (folder / "audio.wav").write_bytes(b"torn")
    folder.rename(part)
    again = repair(part)
    check(tmp_path, again)
    assert again.files.audio == manifest.files.audio


def test_only_names_of_ours_are_repaired(tmp_path: Path) -> None:
    for name in ("rec_123.part", "other.part", folder_name(str(uuid.uuid4()))):
        (tmp_path / name).mkdir()
        with pytest.raises(ValueError):
            repair(tmp_path / name)
    part = a_crashed_recording(tmp_path / "rec_123.part")
    linked = tmp_path / part.name
    linked.symlink_to(part)
    with pytest.raises(OSError):
        repair(linked)
    assert main([str(tmp_path)]) == 1


def test_the_command_repairs_all_and_tells_of_each(tmp_path: Path) -> None:
    crashed = a_crashed_recording(tmp_path)
    alive = Recorder(tmp_path, config_in(tmp_path), lambda: STARTED)
    command = repair_command(tmp_path, until_unix_s=STARTED + 3.25)
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    told = {line["recording_id"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert told.pop(alive._config.recording_id)["outcome"] == "recording"
    ((recording_id, outcome),) = told.items()
    assert crashed.name.startswith(folder_name(recording_id))
    assert outcome == {
        "recording_id": recording_id,
        "outcome": "published",
        "status": "completed",
        "reason": "recorder_lost",
        "duration_s": 3.0,
        "recovered": True,
        "lost_ms": 240,
    }
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("\n") == 1
    alive._close()
    only = repair_command(tmp_path, recording_id=alive._config.recording_id)
    assert json.loads(subprocess.run(only, capture_output=True, text=True, check=True).stdout)["status"] == "absent"
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    part = a_crashed_recording(tmp_path)
    with (part / "journal.jsonl").open("r+b") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        with pytest.raises(StillRecordingError):
            repair(part)
    assert repair(part).status == "completed"


def test_a_concluded_folder_is_found_concluded(tmp_path: Path) -> None:
    """Two that conclude at once: the later finds the folder under its final name and is content."""
    part_dir = a_crashed_recording(tmp_path)
    parent_fd = os.open(tmp_path, os.O_RDONLY)
    late = PartFolder(parent_fd, part_dir.name.removesuffix(PART_SUFFIX))
    manifest = repair(part_dir)
    late.conclude(manifest)
    check(tmp_path, manifest)
    late.close()
    os.close(parent_fd)
