"""Finished recordings in every format and in two channels, as FFmpeg's library and ffprobe read them."""

import fcntl
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from recording.catalog import (
    FORMATS,
    Format,
    Manifest,
    NothingToRenderError,
    RecordingsFolder,
    render_command,
    render_path,
    rendered_name,
)
from recording.render import main, render
from tests.recording.making import STARTED, Samples, decoded, probed, published, recorder_in, tone

HZ = {"anna": 400.0, "ben": 700.0, "coach": 1500.0}
LOSSLESS = ("wav", "flac")


def strength(sound: Samples, rate: int, hz: float) -> float:
    """How much of a tone is in a second of sound, in int16 units."""
    at = np.arange(sound.size) / rate
    return float(2 * np.abs(np.mean(sound * np.exp(-2j * np.pi * hz * at))))


def a_recording(directory: Path, rate: int = 16_000, peak: float = 8000.0, trim: bool = True) -> Manifest:
    """Six seconds: from 1 s to 5 s Anna and a coach, who whispers from 3 s on, and Ben from 2 s to 4 s."""
    recorder = recorder_in(directory, trim=trim)
    for index, call_id in enumerate(HZ):
        recorder.mark(0, {"track": index, "call_id": call_id})
    for call_id, tick in (("anna", 50), ("ben", 100), ("coach", 0)):
        recorder.mark(tick, {"joined": call_id})
    recorder.mark(150, {"coaching": "coach"})
    recorder.mark(200, {"left": "ben"})
    for tick in range(300):
        speaking = {"anna": 50 <= tick < 250, "ben": 100 <= tick < 200, "coach": 50 <= tick < 250}
        voices = {call_id: tone(tick, rate, HZ[call_id], peak) for call_id, does in speaking.items() if does}
        heard = [voice // 3 for call_id, voice in voices.items() if call_id != "coach" or tick < 150]
        mix = (rate, np.sum(heard, axis=0).astype(np.int16)) if heard else None
        recorder.frame(tick, mix, [(list(HZ).index(call_id), rate, voice) for call_id, voice in voices.items()])
    return recorder.finish("stopped", 299)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return a_recording(folder)


def rendered(folder: Path, manifest: Manifest, form: Format, left: str | None = None) -> Path:
    render(folder, manifest.recording_id, form, left)
    return render_path(folder, manifest, form, left)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_the_published_mix(folder: Path, manifest: Manifest, form: Format) -> None:
    path = rendered(folder, manifest, form)
    rate, sound = decoded(path)
    _, audio = decoded(published(folder, manifest.recording_id) / "audio.wav")
    assert rate == (48_000 if form == "ogg" else 16_000)
    if form in LOSSLESS:
        assert np.array_equal(sound, audio)
        return
    assert abs(sound.shape[1] / rate - manifest.duration_s) < 0.1
    for second in (1, 2):
        of_wav = audio[0, second * 16_000 : (second + 1) * 16_000]
        of_this = sound[0, second * rate : (second + 1) * rate]
        for hz in HZ.values():
            assert strength(of_this, rate, hz) == pytest.approx(strength(of_wav, 16_000, hz), rel=0.1, abs=60)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("left", [None, "ben"])
@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="no ffprobe here")
def test_ffprobe_reads_every_format(folder: Path, manifest: Manifest, form: Format, left: str | None) -> None:
    told = probed(rendered(folder, manifest, form, left))
    codecs = {"wav": "pcm_s16le", "flac": "flac", "ogg": "opus", "mp3": "mp3"}
    assert (told["codec_name"], told["channels"]) == (codecs[form], "1" if left is None else "2")
    assert float(told["duration"]) == pytest.approx(manifest.duration_s, abs=0.1)
    assert int(told["nb_read_frames"]) > 3


@pytest.mark.parametrize("form", FORMATS)
def test_one_is_left_and_all_others_are_right(folder: Path, manifest: Manifest, form: Format) -> None:
    rate, sound = decoded(rendered(folder, manifest, form, "ben"))
    assert sound.shape[0] == 2
    if form in LOSSLESS:
        assert sound.shape[1] == manifest.samples
    cut = manifest.trim.start_samples / manifest.sample_rate
    assert cut > 0.8

    def heard(channel: int, from_s: float) -> list[str]:
        start = round((from_s - cut) * rate)
        second = sound[channel, start : start + rate // 2]
        return [call_id for call_id, hz in HZ.items() if strength(second, rate, hz) > 2000]

    assert [heard(0, 1.2), heard(1, 1.2)] == [[], ["anna", "coach"]]
    assert [heard(0, 2.2), heard(1, 2.2)] == [["ben"], ["anna", "coach"]]
    assert [heard(0, 3.2), heard(1, 3.2)] == [["ben"], ["anna"]]  # the coach only whispers
    assert [heard(0, 4.2), heard(1, 4.2)] == [[], ["anna"]]


def test_the_split_view_lies_on_the_published_mix_sample_by_sample(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    _, split = decoded(rendered(tmp_path, manifest, "wav", "anna"))
    folder = published(tmp_path, manifest.recording_id)
    (anna,) = [track for track in manifest.files.tracks if track.call_id == "anna"]
    _, voice = decoded(folder / anna.name)
    ahead = round(anna.joined_offset_s * manifest.sample_rate) - manifest.trim.start_samples
    assert not split[0, :ahead].any()
    assert np.array_equal(split[0, ahead:], voice[0, : split.shape[1] - ahead])


def test_a_whisper_is_in_neither_channel_but_in_its_own_track(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path, trim=False)
    _, split = decoded(rendered(tmp_path, manifest, "wav", "coach"))
    rate = manifest.sample_rate
    assert strength(split[0, rate : 2 * rate], rate, HZ["coach"]) > 7000
    assert not split[0, 3 * rate - rate // 4 :].any()
    assert strength(split[1, 3 * rate : 4 * rate], rate, HZ["coach"]) < 5
    _, own = decoded(published(tmp_path, manifest.recording_id) / "track-2.flac")
    assert strength(own[0, 3 * rate : 4 * rate], rate, HZ["coach"]) > 7000


def test_loud_voices_together_do_not_overflow(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path, peak=30_000.0)
    _, split = decoded(rendered(tmp_path, manifest, "wav", "ben"))
    right = split[1].astype(int)
    assert np.abs(right).max() > 30_000
    # An overflow jumps by nearly the whole scale between two samples; two tones do by far less.
    assert np.abs(np.diff(right)).max() < 25_000


def test_rendering_again_does_nothing(folder: Path, manifest: Manifest) -> None:
    path = rendered(folder, manifest, "flac")
    before = path.stat()
    rendered(folder, manifest, "flac")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert {other.name for other in path.parent.iterdir() if other.name.endswith(".tmp")} == set()


def test_two_that_render_the_same_make_one_file(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    threads = [threading.Thread(target=render, args=(tmp_path, manifest.recording_id, "ogg")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = render_path(tmp_path, manifest, "ogg")
    assert [other.name for other in path.parent.iterdir()] == ["audio.ogg"]
    assert decoded(path)[1].size > 0


def test_what_a_killed_rendering_left_is_written_over(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    cache = published(tmp_path, manifest.recording_id) / "cache"
    cache.mkdir()
    (cache / "audio.flac.tmp").write_bytes(b"half of it")
    assert decoded(rendered(tmp_path, manifest, "flac"))[1].shape[1] == manifest.samples
    assert [path.name for path in cache.iterdir()] == ["audio.flac"]


def test_a_living_rendering_is_waited_for(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    cache = published(tmp_path, manifest.recording_id) / "cache"
    cache.mkdir()
    with (cache / "audio.flac.tmp").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        waiting = threading.Thread(target=render, args=(tmp_path, manifest.recording_id, "flac"))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        other.write(b"done by another")
        other.flush()
        (cache / "audio.flac.tmp").rename(cache / "audio.flac")
    waiting.join(10)
    assert (cache / "audio.flac").read_bytes() == b"done by another"


def test_what_is_not_there_is_not_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = a_recording(tmp_path)
    with pytest.raises(NothingToRenderError):
        rendered_name(manifest, "wav", "nobody")
    with pytest.raises(FileNotFoundError):
        render(tmp_path, "5d7c1f9e-0000-4000-8000-000000000001", "flac")
    assert main([str(tmp_path), manifest.recording_id, "flac", "--left=nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
    absent = recorder_in(tmp_path).finish("stopped", 100)
    assert main([str(tmp_path), absent.recording_id, "mp3"]) == 1
    assert "absent" in capsys.readouterr().err
    assert main([str(tmp_path), "../" + manifest.recording_id, "mp3"]) == 1


def test_links_are_not_followed(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    folder = published(tmp_path, manifest.recording_id)
    secret = tmp_path / "secret"
    secret.mkdir()
    (folder / "cache").symlink_to(secret)
    with pytest.raises(OSError):
        render(tmp_path, manifest.recording_id, "flac")
    assert list(secret.iterdir()) == []


def test_the_command_renders(tmp_path: Path) -> None:
    manifest = a_recording(tmp_path)
    command = render_command(tmp_path, manifest.recording_id, "mp3", "anna")
    subprocess.run(command, check=True, capture_output=True)
    path = render_path(tmp_path, manifest, "mp3", "anna")
    assert path.name == "split-0.mp3"
    fd = RecordingsFolder(tmp_path).open(manifest.recording_id, path.name, rendered=True)
    with os.fdopen(fd, "rb") as file:
        assert file.read() == path.read_bytes()
    assert render_path(tmp_path, manifest, "wav") == published(tmp_path, manifest.recording_id) / "audio.wav"
    assert manifest.started_at == STARTED
