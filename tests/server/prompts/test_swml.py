"""Wait documents in SWML: what of an instruction is understood."""

import json
from typing import Any

import pytest

from server.prompts.errors import PromptError
from server.prompts.steps import MAX_PAUSE_S, Document, Pause, Play, Reading, Step
from server.prompts.swml import read_swml

BASE = "https://example.com/d/doc.json"
A = Play("https://example.com/d/a.mp3")
B = Play("https://example.com/d/b.mp3")


def read(data: bytes) -> Document:
    reading = Reading(BASE)
    read_swml(data, reading)
    return reading.document()


@pytest.mark.parametrize(
    ("instruction", "steps", "notes"),
    [
        ({"play": {"url": "a.mp3"}}, (A,), 0),
        ({"play": "a.mp3"}, (A,), 0),
        ({"play": {"urls": ["a.mp3", "silence:2.5", "b.mp3"]}}, (A, Pause(2.5), B), 0),
        ({"play": {"url": "a.mp3", "volume": 0}}, (A,), 0),
        ({"play": {"url": "a.mp3", "volume": 10}}, (A,), 1),
        ({"play": {"url": "silence:1e9"}}, (Pause(MAX_PAUSE_S),), 0),
        ({"play": {"url": "silence:"}}, (), 1),
        ({"play": {"url": "silence:-1"}}, (), 1),
        ({"play": {"url": "silence:nan"}}, (), 1),
        ({"play": {"url": "say:hello"}}, (), 1),
        ({"play": {"url": "ring:10.0:us"}}, (), 1),
        ({"play": {"url": "file:///etc/passwd"}}, (), 1),
        ({"play": {"url": "${vars.music}/a.mp3"}}, (Play("https://example.com/d/${vars.music}/a.mp3"),), 0),
        ({"play": {"url": "a.mp3", "urls": ["b.mp3"]}}, (), 1),
        ({"play": {}}, (), 1),
        ({"play": {"urls": []}}, (), 0),
        ({"play": {"urls": "a.mp3"}}, (), 1),
        ({"play": {"urls": [7, None, "", "a.mp3"]}}, (A,), 3),
        ({"play": None}, (), 1),
        ({"play": ["a.mp3"]}, (), 1),
        ({"hangup": {}}, (), 1),
        ("answer", (), 1),
        ({"play": "a.mp3", "hangup": {}}, (), 1),
        (None, (), 1),
        ([], (), 1),
    ],
)
def test_instructions(instruction: Any, steps: tuple[Step, ...], notes: int) -> None:
    document = read(json.dumps({"version": "1.0.0", "sections": {"main": [instruction]}}).encode())
    assert document.steps == steps
    assert len(document.notes) == notes


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"null",
        b'"main"',
        b"{}",
        b'{"sections": []}',
        b'{"sections": {"start": []}}',
        b'{"sections": {"main": {}}}',
        b"[" * 60_000,
        b'{"sections": {"main": ' + b"[" * 50_000,
        b'{"x": ' + b"9" * 5000 + b"}",
        b'{"sections": {"main": []}}\xff',
    ],
)
def test_what_is_not_read(data: bytes) -> None:
    with pytest.raises(PromptError) as refused:
        read(data)
    assert refused.value.code == "prompt_format"
