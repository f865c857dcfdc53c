"""`python -m server recordings ls|get|repair` against a served API, and on folders."""

import hashlib
import json
import uuid
from pathlib import Path

import pytest

from server.watch import listing
from server.watch.recordings import shown_bytes
from tests.recording.making import record, recorder_in
from tests.server.watch import shell
from tests.support.api import Api, Json


async def run(*arguments: str) -> int:
    return await shell.run("recordings", *arguments)


async def recorded(api: Api, name: str = "team") -> Json:
    await api.enter(name)
    recording = await api.post(f"/v1/conferences/{name}/recordings", {"tracks": True}, 201)
    await api.settle()
    api.mixers.recorders[-1].voices.append("anna")
    await api.post(f"/v1/conferences/{name}/end")
    await api.settle()
    api.clock.pass_s(1)
    return await api.get(f"/v1/recordings/{recording['recording_id']}")


async def test_recordings_are_listed_the_newest_first(
    api: Api, url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = await recorded(api)
    await api.enter("going-on", record="record-from-start")
    monkeypatch.setattr(listing, "PAGE", 1)
    assert await run("ls", "--server", url) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["STARTED", "STATUS", "LENGTH", "SIZE", "TRACKS", "RECORDING", "CONFERENCE"]
    assert first.split()[1] == "in-progress"
    assert second.split()[1:] == [
        "completed", "2.0", "s", *shown_bytes(done["byte_size"]).split(), "1",
        done["recording_id"], done["conference_id"],
    ]  # fmt: skip


async def test_those_of_a_conference_and_json_as_the_api_gives_it(
    api: Api, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await recorded(api)
    await recorded(api, "other")
    assert await run("ls", "--json", "--conference", done["conference_id"], "--server", url) == 0
    assert json.loads(capsys.readouterr().out) == {"recordings": [done]}
    assert await run("ls", "--conference", "nobody-knows", "--server", url) == 0
    assert capsys.readouterr().out == "No recordings.\n"


@pytest.mark.parametrize(
    ("options", "name", "begins"),
    [
        ((), "{id}.wav", b"RIFF"),
        (("--format", "flac"), "{id}.flac", b"fLaC"),
        (("--track", "anna"), "{id}-anna.flac", b"fLaC"),
        (("--left", "anna", "--format", "ogg"), "{id}.ogg", b"OggS"),
        (("-o", "mine.mp3", "--format", "mp3"), "mine.mp3", b""),
    ],
)
async def test_a_recording_is_downloaded(
    api: Api,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    name: str,
    begins: bytes,
) -> None:
    done = await recorded(api)
    (tmp_path / "downloads").mkdir()
    monkeypatch.chdir(tmp_path / "downloads")
    assert await run("get", done["recording_id"], *options, "--server", url) == 0
    (written,) = (tmp_path / "downloads").iterdir()
    assert written.name == name.format(id=done["recording_id"])
    content = written.read_bytes()
    assert content.startswith(begins)
    if not options:
        assert hashlib.sha256(content).hexdigest() == done["sha256"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((str(uuid.uuid4()),), "not_found"),
        (("{id}", "--track", "anna", "--format", "mp3"), "A track is had as FLAC"),
        (("{id}", "-o", "no/such/folder.wav"), "cannot be written"),
    ],
)
async def test_what_cannot_be_downloaded_leaves_no_file(
    api: Api,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    done = await recorded(api)
    (tmp_path / "downloads").mkdir()
    monkeypatch.chdir(tmp_path / "downloads")
    given = (option.format(id=done["recording_id"]) for option in options)
    assert await run("get", *given, "--server", url) == 1
    assert words in capsys.readouterr().err
    assert list((tmp_path / "downloads").iterdir()) == []


async def test_what_a_crash_left_is_repaired_without_a_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "recordings"
    directory.mkdir()
    cut, running = str(uuid.uuid4()), str(uuid.uuid4())
    dead, alive = (recorder_in(directory, recording_id=recording_id) for recording_id in (cut, running))
    for recorder in (dead, alive):
        record(recorder, range(100))
        recorder.sync(3.0)
    dead._close()
    assert await run("repair", "--data-dir", str(tmp_path)) == 0
    lines = dict(line.split("  ") for line in capsys.readouterr().out.splitlines())
    assert lines == {cut: "completed, 2.0 s, 0 ms lost", running: "is still being written"}
    alive._close()
    assert await run("repair", "--data-dir", str(tmp_path), "--recording", running) == 0
    assert running in capsys.readouterr().out
    assert await run("repair", "--data-dir", str(tmp_path)) == 0
    assert capsys.readouterr().out == "There is nothing to repair.\n"


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("repair", "--data-dir", str(tmp_path)) == 1
    assert str(tmp_path / "recordings") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (32_080, "32.1 kB"), (5 * 10**9, "5.0 GB"), (10**16, "10000.0 TB")],
)
def test_sizes_are_as_people_read_them(count: int, words: str) -> None:
    assert shown_bytes(count) == words
