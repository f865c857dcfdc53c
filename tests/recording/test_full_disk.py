"""Disks that fill up: the recording fails, what was written is published and plays, and nothing is raised."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recording.catalog import Manifest
from recording.wav import HEADER_BYTES
from tests.recording.filling import noise
from tests.recording.making import decoded, published
from tests.support.mounts import seeing

LIMIT_BYTES = 300_000


def fill(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.recording.filling", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def check(folder: Path, told: dict[str, Any]) -> Manifest:
    manifest = Manifest.load(folder)
    assert (manifest.status, manifest.reason) == ("failed", "disk_full")
    assert {path.name for path in folder.iterdir()} == {file.name for file in manifest.all_files()} | {"manifest.json"}
    for file in manifest.all_files():
        content = (folder / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.byte_size, file.sha256)
        _, sound = decoded(folder / file.name)
        assert sound.shape == (1, file.samples)
    return manifest


def heard(folder: Path, manifest: Manifest) -> Any:
    assert manifest.files.audio is not None
    return decoded(folder / manifest.files.audio.name)[1][0]


def test_a_file_that_may_not_grow_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    told = fill(tmp_path, 0, "whole", "8000", LIMIT_BYTES)
    assert told["failed"] == "disk_full"
    folder = published(tmp_path, told["manifest"]["recording_id"])
    manifest = check(folder, told)
    expected = np.concatenate([np.zeros(1600, np.int16), *(noise(tick, 8000) for tick in range(10, 3000))])
    sound = heard(folder, manifest)
    assert sound.size * 2 >= LIMIT_BYTES - HEADER_BYTES - 12 * 320
    assert np.array_equal(sound, expected[: sound.size])
    assert abs(told["kept_ms"] - sound.size / 8) <= 20
    assert told["failed_at"] * 20 - told["kept_ms"] <= 250


def test_with_no_room_for_a_trimmed_copy_the_whole_is_published(tmp_path: Path) -> None:
    """Both rates' captures fit; the mix of them at the higher rate does not, so each is published as it is."""
    told = fill(tmp_path, 0, "trim", "48000,8000", 3_500_000)
    folder = published(tmp_path, told["manifest"]["recording_id"])
    assert (told["failed"], told["failed_in_the_end"]) == (None, "disk_full")
    manifest = check(folder, told)
    assert manifest.sample_rate == 48_000
    assert [file.name for file in manifest.files.captures] == ["mix-8000.wav"]
    assert (manifest.trim.requested, manifest.trim.start_samples, manifest.files.room) == (True, 0, None)
    wide = np.concatenate([np.zeros(9600, np.int16), *(noise(tick, 48_000) for tick in range(10, 1500))])
    assert np.array_equal(heard(folder, manifest)[: wide.size], wide)
    narrow = np.concatenate([noise(tick, 8000) for tick in range(1500, 3000)])
    assert np.array_equal(decoded(folder / "mix-8000.wav")[1][0, 1500 * 160 :], narrow)


def in_a_small_tmpfs(tmp_path: Path, *arguments: object) -> Path:
    """Fill a tmpfs of 1 MiB in a mount namespace of its own, and copy out what is on it in the end."""
    script = (
        '"$2" -m tests.recording.filling "$1" "$3" "$4" "$5" '
        '> "$6/told" || exit 1; cp -a --sparse=always "$1/." "$6/out"'
    )
    (tmp_path / "out").mkdir()
    full = tmp_path / "full"
    command = [*seeing("size=1m", full), "sh", "-c", script, "sh", full, sys.executable, *arguments, tmp_path]
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return tmp_path / "out"


@pytest.mark.parametrize(("tracks", "trim"), [(0, "whole"), (0, "trim"), (4, "whole"), (4, "trim")])
def test_a_full_tmpfs_publishes_what_is_there(tmp_path: Path, tracks: int, trim: str) -> None:
    out = in_a_small_tmpfs(tmp_path, tracks, trim, "8000")
    told = json.loads((tmp_path / "told").read_text())
    assert told["failed"] == "disk_full", told
    assert [path.name for path in out.iterdir()] == [published(out, told["manifest"]["recording_id"]).name]
    folder = published(out, told["manifest"]["recording_id"])
    manifest = check(folder, told)
    sound = heard(folder, manifest)
    whole = np.concatenate([np.zeros(1600, np.int16), *(noise(tick, 8000) for tick in range(10, 3000))])
    start = manifest.trim.start_samples
    # The last pieces may have been in files of which only some could be written.
    sure = min(sound.size, told["kept_ms"] * 8) - 400 * 8
    assert sure > 10_000
    assert np.array_equal(sound[:sure], whole[start : start + sure])
    voices = {file.name.split("-")[1].split(".")[0] for file in manifest.all_files() if file.name.startswith("track")}
    assert voices == {str(index) for index in range(tracks)}
    assert sum(path.stat().st_blocks * 512 for path in folder.iterdir()) > 600_000


def test_no_room_from_the_beginning(tmp_path: Path) -> None:
    told = fill(tmp_path, 2, "whole", "8000", 1000)
    assert (told["failed"], told["kept_ms"]) == ("disk_full", 0)
    assert told["manifest"]["status"] == "failed"
