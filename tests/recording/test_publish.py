"""What a recording becomes: every sample where the conference's clock says, whatever happened on the way."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from recording.catalog import Manifest
from recording.feed import LATE_SAMPLES
from recording.recorder import Recorder
from recording.wav import HEADER_BYTES
from tests.recording.making import STARTED, Samples, counted, decoded, published, record, recorder_in, tone


def read(directory: Path, manifest: Manifest, name: str) -> Samples:
    rate, sound = decoded(published(directory, manifest.recording_id) / name)
    assert rate == manifest.sample_rate
    return sound[0]


def best_lag(sound: Samples, expected: Samples, most: int) -> int:
    """By how many samples `sound` is later than `expected`."""
    a, b = sound.astype(float), expected.astype(float)
    size = 1 << (a.size + b.size).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    lags = np.r_[np.arange(most + 1), np.arange(-most, 0)]
    return int(lags[np.argmax(correlation[lags])])


def test_hashes_and_sizes_are_of_the_bytes_in_the_folder(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, trim=True)
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    record(recorder, range(30, 100), tracks=[0])
    manifest = recorder.finish("stopped", 150)
    folder = published(tmp_path, manifest.recording_id)
    listed = {file.name for file in manifest.all_files()}
    assert listed == {"audio.wav", "room.flac", "track-0.flac"}
    assert {path.name for path in folder.iterdir()} == listed | {"manifest.json"}
    for file in manifest.all_files():
        content = (folder / file.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.byte_size, file.sha256)
    assert Manifest.load(folder) == manifest
    assert json.loads((folder / "manifest.json").read_text())["name"] == "../a name with / in it"


def test_every_second_of_every_file_is_the_conferences(tmp_path: Path) -> None:
    """Two minutes with ticks missing, 48 kHz coming and going, a track at its own rate, and pauses of both kinds."""
    ticks = 120 * 50
    missing = set(range(1000, 1040)) | set(range(3333, 3334)) | {10, 11, 5000}
    silence, skip = range(2000, 2250), range(4000, 4500)
    recorder = recorder_in(tmp_path)
    recorder.mark(0, {"track": 1, "call_id": "anna"})
    wide = (np.arange(ticks) // 50 >= 30) & (np.arange(ticks) // 50 < 52) | (np.arange(ticks) // 50 >= 110)
    room = np.zeros((ticks, 960), np.int16)
    anna = np.zeros((ticks, 960), np.int16)
    for tick in range(ticks):
        if tick in (silence.start, skip.start):
            recorder.mark(tick, {"pause": "silence" if tick == silence.start else "skip"})
        if tick in (silence.stop, skip.stop):
            recorder.mark(tick, {"resume": True})
        if tick in missing:
            continue
        rate = 48_000 if wide[tick] else 8000
        recorder.frame(tick, (rate, counted(tick, rate)), [(1, 8000, counted(tick, 8000))])
        if tick in silence or tick in skip:
            continue
        room[tick] = anna[tick] = counted(tick, 48_000)
    manifest = recorder.finish("stopped", ticks - 1)
    kept = np.r_[0 : skip.start, skip.stop : ticks]
    assert manifest.sample_rate == 48_000
    assert manifest.samples == kept.size * 960
    assert manifest.ended_at == STARTED + 120.0
    # A narrow voice in a wide room is as late as the room has it from the mixer.
    in_time = anna[kept].ravel()
    late = np.r_[np.zeros(6 * LATE_SAMPLES, np.int16), in_time][: in_time.size]
    voice = np.where(np.repeat(wide[kept], 960), late, in_time).reshape(-1, 960)
    voice[np.flatnonzero(np.diff(wide[kept].astype(int)) == 1) + 1, : 6 * LATE_SAMPLES] = 0
    for name, expected in (("audio.wav", room[kept]), ("track-0.flac", voice)):
        heard = read(tmp_path, manifest, name).reshape(-1, 960)
        assert heard.shape == expected.shape
        for start in range(0, len(heard), 50):
            whole, wanted = heard[start : start + 50], expected[start : start + 50]
            if wanted.any():
                assert best_lag(whole.ravel(), wanted.ravel(), 480) == 0, f"second {start // 50} of {name}"
        # Where nothing was recorded there is nothing but what filters ring over the edge of a tick.
        empty = ~expected.any(axis=1)
        inner = empty & np.r_[True, empty[:-1]] & np.r_[empty[1:], True]
        assert inner.sum() > 200
        assert not heard[inner].any()
    exact = room[1500:2000]
    assert np.array_equal(read(tmp_path, manifest, "audio.wav").reshape(-1, 960)[1501:2000], exact[1:])


def test_a_rate_change_is_heard_as_nothing_but_a_wider_band(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, tracks=False)
    for tick in range(200):
        rate = 8000 if tick < 100 else 48_000
        recorder.frame(tick, (rate, tone(tick, rate)), [])
    manifest = recorder.finish("stopped", 199)
    heard = read(tmp_path, manifest, "audio.wav").astype(float)
    expected = np.concatenate([tone(tick, 48_000) for tick in range(200)]).astype(float)
    seam = 100 * 960
    near = slice(seam - 5 * 48, seam + 5 * 48)
    error = heard - expected
    assert np.abs(error[near]).max() < 4500  # the filter has nothing to look at beyond the seam
    error[near] = 0.0
    error[: 5 * 48] = 0.0
    assert np.abs(error).max() < 8.0


def test_tracks_begin_when_their_call_joins_and_end_when_it_leaves(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.mark(50, {"joined": "anna"})
    recorder.mark(60, {"track": 0, "call_id": "anna"})
    record(recorder, range(60, 100), tracks=[0])
    recorder.mark(150, {"left": "anna"})
    manifest = recorder.finish("stopped", 199)
    (track,) = manifest.files.tracks
    assert (track.joined_offset_s, track.duration_s, track.samples) == (1.0, 2.0, 16_000)
    heard, room = read(tmp_path, manifest, track.name), read(tmp_path, manifest, "audio.wav")
    assert np.array_equal(heard, room[8000 : 8000 + 16_000])
    assert heard.any()


def test_who_is_never_heard_has_a_track_of_silence(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.mark(0, {"joined": "anna"})
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    recorder.note(STARTED + 1.0, {"kind": "joined", "call_id": "ben"})
    recorder.mark(75, {"joined": "cleo"})
    record(recorder, range(150), tracks=[0])
    recorder.mark(100, {"left": "cleo"})
    manifest = recorder.finish("conference_ended", 199)
    spans = {track.call_id: (track.joined_offset_s, track.duration_s) for track in manifest.files.tracks}
    assert spans == {"anna": (0.0, 4.0), "ben": (1.0, 3.0), "cleo": (1.5, 0.5)}
    assert len({track.name for track in manifest.files.tracks}) == 3
    for track in manifest.files.tracks[1:]:
        silence = read(tmp_path, manifest, track.name)
        assert silence.size == track.samples == round(track.duration_s * manifest.sample_rate)
        assert not silence.any()


def test_without_tracks_silence_has_none_either(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, tracks=False)
    recorder.mark(0, {"joined": "anna"})
    record(recorder, range(150))
    assert recorder.finish("conference_ended", 199).files.tracks == ()


@pytest.mark.parametrize("late", [0, 3, 177])
def test_trimming_cuts_silence_off_both_ends_and_says_how_much(tmp_path: Path, late: int) -> None:
    sounds = range(100, 300)
    recorder = recorder_in(tmp_path, trim=True)
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    for tick in range(500):
        sound = np.full(160, 30, np.int16)  # a hum that counts as silence
        if tick in sounds:
            sound = tone(tick, 8000)
        if tick == sounds.start:
            sound[: late % 160] = 0
        recorder.frame(tick, (8000, sound), [(0, 8000, sound)])
    manifest = recorder.finish("stopped", 499)
    first = sounds.start * 160 + late % 160
    room = read(tmp_path, manifest, "room.flac")
    audio = read(tmp_path, manifest, "audio.wav")
    trim = manifest.trim
    assert room.size == 500 * 160
    assert np.array_equal(audio, room[trim.start_samples : room.size - trim.end_samples])
    assert manifest.samples == audio.size
    assert first - 800 - 80 <= trim.start_samples <= first - 800
    assert trim.end_samples == (500 - sounds.stop) * 160 - 800
    (track,) = manifest.files.tracks
    assert (track.joined_offset_s, track.samples) == (0.0, room.size)
    assert np.array_equal(read(tmp_path, manifest, track.name), room)


def test_nothing_is_trimmed_that_has_sound_to_its_ends(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path, trim=True)
    record(recorder, range(100))
    manifest = recorder.finish("stopped", 99)
    assert (manifest.trim.requested, manifest.trim.start_samples, manifest.trim.end_samples) == (True, 0, 0)
    assert (manifest.samples, manifest.files.room) == (16_000, None)


@pytest.mark.parametrize("what", ["nothing", "silence", "hum", "too short", "no tick"])
def test_what_has_no_sound_is_absent(tmp_path: Path, what: str) -> None:
    recorder = recorder_in(tmp_path)
    last = -1 if what == "no tick" else 3 if what == "too short" else 499
    for tick in range(last + 1):
        mix = {"nothing": None, "silence": np.zeros(160, np.int16), "hum": np.full(160, -60, np.int16)}.get(what)
        if what == "too short":
            mix = tone(tick, 8000)
        recorder.frame(tick, None if mix is None else (8000, mix), [])
    recorder.note(STARTED, {"kind": "joined", "call_id": "anna", "label": "Anna"})
    manifest = recorder.finish("conference_ended", last)
    folder = published(tmp_path, manifest.recording_id)
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert (manifest.status, manifest.reason, manifest.duration_s) == ("absent", "conference_ended", 0.0)
    assert manifest.files.audio is None
    assert [call.label for call in manifest.participants] == ["Anna"]
    assert manifest.ended_at == STARTED + (last + 1) / 50


def test_silence_at_the_end_counts(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(50))
    for tick in range(50, 100):
        recorder.frame(tick, None, [])
    manifest = recorder.finish("stopped", 249)
    assert manifest.duration_s == 5.0
    heard = read(tmp_path, manifest, "audio.wav")
    assert heard.size == 5 * 8000 and not heard[8000:].any()


def story_of(recorder: Recorder) -> None:
    recorder.note(STARTED - 60, {"kind": "joined", "call_id": "anna", "label": "Anna"})
    recorder.mark(0, {"joined": "anna"})
    recorder.mark(100, {"joined": "ben"})
    recorder.note(STARTED + 2.3, {"kind": "joined", "call_id": "ben", "label": "Ben"})
    recorder.note(STARTED + 3.0, {"kind": "muted", "call_id": "ben"})
    recorder.note(STARTED + 4.0, {"kind": "unmuted", "call_id": "ben"})
    recorder.note(STARTED + 5.0, {"kind": "held", "call_id": "ben"})
    recorder.note(STARTED + 5.5, {"kind": "muted", "call_id": "ben"})
    recorder.note(STARTED + 6.0, {"kind": "labelled", "call_id": "anna", "label": "Dr. Anna"})
    recorder.mark(325, {"coaching": "anna"})
    recorder.mark(350, {"left": "ben"})
    recorder.note(STARTED + 7.0, {"kind": "left", "call_id": "ben"})


def test_the_manifest_tells_who_was_there_and_how(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    story_of(recorder)
    recorder.gap(360, 2, "overrun")
    recorder.gap(362, 3, "overrun")
    recorder.gap(370, 1, "mixer")
    record(recorder, range(380, 500))
    manifest = recorder.finish("stopped", 499)
    anna, ben = manifest.participants
    assert (anna.call_id, anna.label, anna.joins, anna.leaves) == ("anna", "Dr. Anna", (0.0,), ())
    assert (ben.call_id, ben.label, ben.joins, ben.leaves) == ("ben", "Ben", (2.0,), (7.0,))
    assert [(span.from_s, span.to_s) for span in ben.mutes] == [(3.0, 4.0), (5.5, 7.0)]
    assert [(span.from_s, span.to_s) for span in ben.holds] == [(5.0, 7.0)]
    assert [(span.from_s, span.to_s) for span in anna.coaching] == [(6.5, 10.0)]
    assert [(gap.at_s, gap.duration_s, gap.reason) for gap in manifest.gaps] == [
        (7.2, 0.1, "overrun"),
        (7.4, 0.02, "mixer"),
    ]


@pytest.mark.parametrize(
    ("reason", "leaves"),
    [("conference_ended", (10.0,)), ("server_lost", (10.0,)), ("stopped", ()), ("recorder_lost", ())],
)
def test_whoever_is_there_at_the_end_of_the_conference_leaves_with_it(
    tmp_path: Path, reason: str, leaves: tuple[float, ...]
) -> None:
    recorder = recorder_in(tmp_path)
    recorder.mark(0, {"joined": "anna"})
    record(recorder, range(500))
    assert recorder.finish(reason, 499).participants[0].leaves == leaves


def test_what_comes_after_a_skip_moves_up_in_all_that_is_told(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    record(recorder, range(100))
    recorder.mark(100, {"pause": "skip"})
    recorder.mark(150, {"joined": "ben"})
    recorder.gap(160, 10, "overrun")
    recorder.mark(200, {"resume": True})
    recorder.mark(250, {"joined": "anna"})
    recorder.mark(300, {"pause": "silence"})
    recorder.mark(400, {"resume": True})
    record(recorder, range(400, 500))
    manifest = recorder.finish("stopped", 499)
    assert manifest.duration_s == 8.0
    assert manifest.gaps == ()
    assert [(call.call_id, call.joins) for call in manifest.participants] == [("ben", (2.0,)), ("anna", (3.0,))]
    assert [(pause.at_s, pause.until_s, pause.behavior, pause.skipped_s) for pause in manifest.pauses] == [
        (2.0, 2.0, "skip", 2.0),
        (4.0, 6.0, "silence", 0.0),
    ]


def test_a_simulated_hour_ends_where_the_clock_does(tmp_path: Path) -> None:
    """Half a second of sound a minute: the files are as long as the hour, and each burst is at its place."""
    recorder = recorder_in(tmp_path)
    recorder.mark(0, {"joined": "anna"})
    recorder.mark(0, {"track": 0, "call_id": "anna"})
    for minute in range(60):
        for tick in range(minute * 3000, minute * 3000 + 25):
            recorder.frame(tick, (8000, counted(tick, 8000)), [(0, 8000, counted(tick, 8000))])
        recorder.sync(minute * 60.0)
    manifest = recorder.finish("stopped", 60 * 3000 - 1)
    assert manifest.duration_s == 3600.0
    folder = published(tmp_path, manifest.recording_id)
    room = np.fromfile(folder / "audio.wav", np.int16, offset=HEADER_BYTES)
    for sound in (room, read(tmp_path, manifest, "track-0.flac")):
        heard = sound.reshape(60, -1)
        for minute in range(60):
            expected = np.concatenate([counted(minute * 3000 + tick, 8000) for tick in range(25)])
            assert np.array_equal(heard[minute, :4000], expected)
            assert not heard[minute, 4000:].any()


def test_a_recording_beyond_4_gib_is_published_as_rf64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is hashed is 4 GiB of holes; that hashes are right is tried with less.
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: hashlib.new(name))
    ticks = 13 * 3600 * 50
    recorder = recorder_in(tmp_path)
    for tick in (0, ticks - 1):
        record(recorder, [tick], rate=48_000)
    manifest = recorder.finish("stopped", ticks - 1)
    assert (manifest.status, manifest.samples, manifest.duration_s) == ("completed", ticks * 960, ticks / 50)
    path = published(tmp_path, manifest.recording_id) / "audio.wav"
    assert path.stat().st_size == HEADER_BYTES + ticks * 1920 > 1 << 32
    with path.open("rb") as file:
        assert file.read(4) == b"RF64"
        file.seek(-1920, 2)
        assert np.array_equal(np.frombuffer(file.read(), np.int16), tone(ticks - 1, 48_000))
