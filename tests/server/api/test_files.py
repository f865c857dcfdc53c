"""Which part of a file is sent, as RFC 9110 has it."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from server.api.files import SoundResponse, usable_ranges
from server.errors import ParleyError
from server.recordings.shelf import Sound

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)
SHA256 = "ab" * 32


@pytest.fixture
def http(tmp_path: Path) -> httpx2.AsyncClient:
    """Everything asked for is the same sound, whose name is gone by then."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = tmp_path / "sound"
        path.write_bytes(CONTENT)
        file = path.open("rb")
        path.unlink()
        await SoundResponse(Sound(file, "audio/wav", "sound.wav", SHA256))(scope, receive, send)
        assert file.closed

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1")


async def get(http: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
    return await http.get("/", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("asked", "first", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=10-10", 10, 11),
        ("bytes=1000-", 1000, SIZE),
        ("bytes=-24", SIZE - 24, SIZE),
        ("bytes=-99999", 0, SIZE),
        (f"bytes=0-{SIZE * 9}", 0, SIZE),
        ("Bytes = 0-9", 0, 10),
        (f"bytes=5-6, {SIZE}-", 5, 7),
    ],
)
async def test_a_range_is_sent(http: httpx2.AsyncClient, asked: str, first: int, end: int) -> None:
    response = await get(http, range=asked)
    assert response.status_code == 206
    assert response.content == CONTENT[first:end]
    assert response.headers["content-range"] == f"bytes {first}-{end - 1}/{SIZE}"
    assert response.headers["content-length"] == str(end - first)
    assert response.headers["content-type"] == "audio/wav"


async def test_several_ranges_come_in_parts(http: httpx2.AsyncClient) -> None:
    response = await get(http, range="bytes=0-1,-2")
    assert response.status_code == 206
    assert response.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert re.findall(rb"Content-Range: ([^\r]*)\r\n\r\n(..)\r\n", response.content, re.DOTALL) == [
        (f"bytes 0-1/{SIZE}".encode(), CONTENT[:2]),
        (f"bytes {SIZE - 2}-{SIZE - 1}/{SIZE}".encode(), CONTENT[-2:]),
    ]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE * 9}-{SIZE * 9}", "bytes=-0"])
async def test_a_range_that_does_not_exist_is_a_problem(http: httpx2.AsyncClient, asked: str) -> None:
    response = await get(http, range=asked)
    assert (response.status_code, response.json()["code"]) == (416, "range_not_satisfiable")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "asked", ["", "bytes", "bytes=", "bytes=a-b", "bytes=9-5", "lines=0-1", "bytes=-", "bytes=1--2"]
)
async def test_what_is_no_range_is_ignored(http: httpx2.AsyncClient, asked: str) -> None:
    response = await get(http, range=asked)
    assert (response.status_code, response.content) == (200, CONTENT)


async def test_too_many_ranges_are_the_whole(http: httpx2.AsyncClient) -> None:
    response = await get(http, range="bytes=" + ",".join(f"{first}-{first}" for first in range(0, 400, 2)))
    assert (response.status_code, response.content) == (200, CONTENT)


async def test_a_range_of_another_version_is_the_whole(http: httpx2.AsyncClient) -> None:
    assert (await get(http, range="bytes=0-9", if_range=f'"{SHA256}"')).status_code == 206
    for other in ('"cd"', f'W/"{SHA256}"'):
        response = await get(http, range=f"bytes={SIZE}-", if_range=other)
        assert (response.status_code, response.content) == (200, CONTENT)


@pytest.mark.parametrize("known", [f'"{SHA256}"', f'"cd", W/"{SHA256}"', "*"])
async def test_who_has_it_already_is_told_so(http: httpx2.AsyncClient, known: str) -> None:
    response = await get(http, if_none_match=known, range="bytes=0-9")
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == f'"{SHA256}"'


async def test_who_has_another_version_gets_it(http: httpx2.AsyncClient) -> None:
    response = await get(http, if_none_match='"cd"')
    assert (response.status_code, response.content) == (200, CONTENT)


async def test_head_sends_no_bytes(http: httpx2.AsyncClient) -> None:
    response = await http.head("/", headers={"Range": "bytes=0-9"})
    assert (response.status_code, response.content) == (206, b"")
    assert response.headers["content-length"] == "10"


async def test_a_rendered_file_has_a_tag_of_its_own(tmp_path: Path) -> None:
    tags = set()
    for name in ("first", "longer"):
        path = tmp_path / name
        path.write_bytes(CONTENT + name.encode())
        with path.open("rb") as file:
            tags.add(SoundResponse(Sound(file, "audio/mpeg", "a.mp3", None)).headers["etag"])
    assert len(tags) == 2


def test_no_digits_are_too_many() -> None:
    assert usable_ranges("bytes=" + "9" * 30 + "-", 10) is None
    with pytest.raises(ParleyError):
        usable_ranges("bytes=" + "9" * 18 + "-", 10)
