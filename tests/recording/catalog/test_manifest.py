import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recording.catalog import (
    Files,
    Gap,
    MalformedError,
    Manifest,
    Pause,
    PublishedFile,
    PublishedTrack,
    RecordedParticipant,
    Span,
    Trim,
)

AUDIO = PublishedFile("audio.wav", 160, 400, "0" * 64)
FULL = Manifest(
    recording_id="5d7c1f9e-0000-4000-8000-000000000001",
    conference_id="c",
    project_id="p",
    name="Größe \u2028 ../x",
    source="api",
    status="completed",
    reason="stopped",
    started_at=1.5,
    ended_at=2.5,
    sample_rate=8000,
    channels=1,
    samples=160,
    duration_s=0.02,
    trim=Trim(True, 1, 2),
    pauses=(Pause(0.1, 0.1, "skip", 2.0),),
    gaps=(Gap(0.2, 0.02, "overrun"),),
    participants=(RecordedParticipant("a", None, (0.0,), (), (Span(0.0, 0.1),)),),
    files=Files(AUDIO, None, (PublishedTrack("a", "track-0.flac", 0.0, 0.02, 160, 99, "1" * 64),)),
)


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(FULL.dump())
    assert Manifest.load(tmp_path) == Manifest.load(tmp_path / "manifest.json") == FULL
    assert [file.name for file in FULL.all_files()] == ["audio.wav", "track-0.flac"]


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(FULL.dump()) | changes).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "Manifest is no object"),
        (b"{}", "Manifest is incomplete"),
        (FULL.dump()[:200], "not JSON"),
        (changed(status="done"), "Manifest.status can't be 'done'"),
        (changed(samples="160"), "Manifest.samples can't be '160'"),
        (changed(color="red"), "Manifest has no field color"),
        (changed(gaps={}), "Manifest.gaps is no list"),
        (changed(gaps=[{"at_s": 1.0}]), r"Manifest.gaps\[0\] is incomplete"),
        (changed(participants=[{"call_id": 1}]), r"Manifest.participants\[0\].call_id can't be 1"),
    ],
)
def test_a_manifest_that_is_none_says_where_it_is_wrong(content: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        Manifest.parse(content)


@pytest.mark.parametrize("name", ["/etc/passwd", "../audio.wav", "cache/audio.mp3", "journal.jsonl", "audio.wav\n", ""])
def test_it_lists_no_files_but_ours(name: str) -> None:
    listed = replace(FULL, files=replace(FULL.files, audio=replace(AUDIO, name=name)))
    with pytest.raises(MalformedError, match="none of ours"):
        Manifest.parse(listed.dump())
