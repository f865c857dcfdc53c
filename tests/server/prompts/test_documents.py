"""Which language a document is read in, and what both languages have in common."""

import pytest

from server.prompts.documents import MAX_BYTES, parse
from server.prompts.errors import PromptError
from server.prompts.steps import MAX_STEPS, Document, Pause, Play, Redirect

URL = "https://example.com/wait/music.xml?a=b"
XML = b"<Response><Play>a.mp3</Play></Response>"
JSON = b'{"version":"1.0.0","sections":{"main":[{"play":"a.mp3"}]}}'
STEPS = (Play("https://example.com/wait/a.mp3"),)


def refusal(content_type: str, data: bytes) -> PromptError:
    with pytest.raises(PromptError) as refused:
        parse(URL, content_type, data)
    return refused.value


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/xml", XML),
        ("application/xml", XML),
        ("application/twiml+xml", XML),
        ("text/plain", XML),
        ("", b'\xef\xbb\xbf<?xml version="1.0"?>' + XML),
        ("binary/octet-stream", b" \r\n" + XML),
        ("application/json", JSON),
        ("application/swml+json", JSON),
        ("application/octet-stream", b"\n " + JSON),
    ],
)
def test_the_type_tells_the_language_or_the_beginning_does(content_type: str, data: bytes) -> None:
    assert parse(URL, content_type, data) == Document(URL, STEPS)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("text/html", XML),
        ("application/yaml", b"version: 1.0.0\n"),
        ("text/x-yaml", JSON),
        ("audio/mpeg", XML),
        ("image/png", b"\x89PNG"),
        ("application/json", XML),
        ("text/xml", JSON),
        ("text/plain", b"hello"),
        ("", b""),
        ("application/gzip", b"\x1f\x8b"),
    ],
)
def test_what_is_no_document_is_refused(content_type: str, data: bytes) -> None:
    assert refusal(content_type, data).code == "prompt_format"


@pytest.mark.parametrize("data", [XML, JSON])
def test_a_document_has_a_size(data: bytes) -> None:
    padded = data + b" " * (MAX_BYTES - len(data))
    assert parse(URL, "", padded).steps == STEPS
    assert refusal("", padded + b" ").code == "prompt_too_large"


def test_steps_that_are_never_reached_are_not_kept() -> None:
    data = b'<Response><Play loop="0">a.mp3</Play><Play>b.mp3</Play><Redirect/></Response>'
    assert parse(URL, "", data).steps == (Play("https://example.com/wait/a.mp3", None),)
    data = b"<Response><Redirect/><Play>b.mp3</Play></Response>"
    assert parse(URL, "", data).steps == (Redirect(None, "POST"),)


def test_there_are_only_so_many_steps_and_remarks() -> None:
    document = parse(URL, "", b"<Response>" + b"<Pause/>" * 500 + b"<Dial/>" * 500 + b"</Response>")
    assert document.steps == (Pause(1.0),) * MAX_STEPS
    assert len(document.notes) <= MAX_STEPS


@pytest.mark.parametrize(
    ("named", "resolved"),
    [
        ("b.mp3", "https://example.com/wait/b.mp3"),
        ("/b.mp3", "https://example.com/b.mp3"),
        ("?c=d", "https://example.com/wait/music.xml?c=d"),
        ("//cdn.example.net/b.mp3", "https://cdn.example.net/b.mp3"),
        ("http://10.0.0.1/b.mp3", "http://10.0.0.1/b.mp3"),  # whether we go there is the client's affair
        ("file:///etc/passwd", None),
        ("FILE:/etc/passwd", None),
        ("data:audio/wav;base64,UklGRg==", None),
        ("rtmp://example.com/stream", None),
        ("concat:a.mp3|/etc/passwd", None),
        ("http://[::1", None),
        ("http://", None),
    ],
)
def test_urls_are_those_of_the_web_relative_to_the_document(named: str, resolved: str | None) -> None:
    document = parse(URL, "", f"<Response><Play>{named}</Play><Redirect>{named}</Redirect></Response>".encode())
    if resolved is None:
        assert document.steps == ()
        assert len(document.notes) == 2
    else:
        assert document.steps == (Play(resolved), Redirect(resolved, "POST"))


def test_remarks_cannot_write_lines_of_their_own_into_a_log() -> None:
    data = b'{"sections":{"main":[{"a\\nb\\u001b[31m\\ud800":{}}]}}'
    [note] = parse(URL, "", data).notes
    assert note.isprintable()
    assert note.encode()
