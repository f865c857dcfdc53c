"""Servers that lie, trickle, flood or explode cost one fetch, within its limits."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest

from server.urls.allowance import Allowance
from server.urls.errors import FetchError
from server.urls.limits import Limits
from tests.server.urls.test_client import at
from tests.server.urls.world import Answer, Asked, guarded, response, site

LOCAL = Allowance(everything=True)
SMALL = Limits(connect_s=1, read_s=1, total_s=5, max_body_bytes=10_000, max_header_bytes=4000, max_redirects=2)


async def failure(answer: bytes | Answer, limits: Limits = SMALL) -> str:
    """Return the code with which fetching `answer` fails."""
    async with site(answer) as there, guarded(LOCAL) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", at(there), limits=limits) as fetched:
                await fetched.read()
    return failed.value.code


def then_close(raw: bytes) -> Answer:
    """An answer that the server ends by closing the connection."""

    def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    return answer


def trickle(raw: bytes, then: bytes) -> Answer:
    """An answer followed by `then` for ever, a byte every few milliseconds."""

    async def answer(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        while not writer.is_closing():
            for byte in then:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.005)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"x"),
        trickle(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n"),
        trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        trickle(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nX: ", b"x"),
    ],
    ids=["body", "headers", "interim", "chunks", "redirect"],
)
async def test_bytes_that_trickle_end_at_the_deadline(answer: Answer) -> None:
    assert await failure(answer, Limits(read_s=1, total_s=0.15)) == "timeout"


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"], ids=["at once", "in between"]
)
async def test_a_server_that_falls_silent_is_left_after_the_read_limit(raw: bytes) -> None:
    assert await failure(raw, Limits(read_s=0.05)) == "timeout"


async def test_all_redirects_share_one_deadline() -> None:
    async def slow_redirect(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.06)
        writer.write(response(status="302 Found", headers={"Location": "/"}))

    assert await failure(slow_redirect, Limits(total_s=0.1, max_redirects=10)) == "timeout"


@pytest.mark.parametrize("limits", [Limits(connect_s=0.05), Limits(total_s=0.05)], ids=["connect", "total"])
async def test_a_handshake_that_hangs_is_given_up(limits: Limits) -> None:
    async with site(b"") as there, guarded(LOCAL) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", at(there).replace("http:", "https:"), limits=limits):
                pass
    assert failed.value.code == "timeout"


async def test_a_gigabyte_is_cut_at_the_limit_in_little_memory() -> None:
    block = bytes(1 << 16)
    sent_bytes = 0

    async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        nonlocal sent_bytes
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent_bytes < 1 << 30:
            writer.write(block)
            await writer.drain()
            sent_bytes += len(block)

    tracemalloc.start()
    try:
        assert await failure(endless, Limits(max_body_bytes=1 << 20)) == "too_large"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sent_bytes < 1 << 26
    assert peak_bytes < 1 << 23


async def test_a_declared_gigabyte_is_not_even_begun() -> None:
    assert await failure(response(length=1 << 30)) == "too_large"


@pytest.mark.parametrize("declared", [10_000, 10_001])
async def test_the_limit_is_the_last_length_that_is_taken(declared: int) -> None:
    async with (
        site(response(b"x" * declared)) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=SMALL) as fetched,
    ):
        if declared == SMALL.max_body_bytes:
            assert len(await fetched.read()) == declared
        else:
            with pytest.raises(FetchError):
                await fetched.read()


async def test_a_body_shorter_than_declared_is_no_body() -> None:
    assert await failure(then_close(response(b"hel", length=5))) == "protocol_error"


async def test_a_body_longer_than_declared_ends_where_declared() -> None:
    async with (
        site(response(b"hello, world", length=5)) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=SMALL) as fetched,
    ):
        assert await fetched.read() == b"hello"


async def test_chunks_that_are_mostly_extensions_are_cut_off() -> None:
    chunk = b"1;" + b"x" * 50_000 + b"\r\nx\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await failure(head + chunk * 100) == "too_large"


async def test_small_chunks_are_taken() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with (
        site(head + b"1\r\nx\r\n" * 9000 + b"0\r\n\r\n") as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=SMALL) as fetched,
    ):
        assert await fetched.read() == b"x" * 9000


async def test_interim_responses_do_not_go_on_for_ever() -> None:
    async def interim(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)
            await writer.drain()

    assert await failure(interim) == "too_large"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        (b"X: " + b"x" * 5000, "too_large"),
        (b"\r\n".join(b"X%d: y" % n for n in range(1000)), "too_large"),
        (b"X: " + b"x" * 500_000, "protocol_error"),
    ],
    ids=["one", "many", "huge"],
)
async def test_headers_have_a_limit(headers: bytes, code: str) -> None:
    assert await failure(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + headers + b"\r\n\r\n") == code


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"HTTP/9 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX y: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n : a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!!\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_protocol_error(raw: bytes) -> None:
    assert await failure(then_close(raw)) == "protocol_error"


async def test_bytes_that_are_no_text_in_headers_are_read_as_well_as_may_be() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \xff\xfe\r\nContent-Type: \xc3\xbc\r\n\r\n"
    async with (
        site(raw) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=SMALL) as fetched,
    ):
        assert len(fetched.headers["etag"]) == 2
        assert fetched.content_type


async def test_a_connection_that_breaks_says_so() -> None:
    def reset(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh")
        writer.transport.abort()

    assert await failure(reset) in ("connection_lost", "protocol_error")


def gzipped(body: bytes) -> bytes:
    return response(body, headers={"Content-Encoding": "gzip"})


async def test_a_file_that_is_stored_compressed_is_unpacked() -> None:
    async with (
        site(gzipped(gzip.compress(b"music" * 1000))) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=SMALL) as fetched,
    ):
        assert await fetched.read() == b"music" * 1000


async def test_a_bomb_does_not_go_off() -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    bomb = b"".join(squeeze.compress(zeros) for _ in range(64)) + squeeze.flush()
    assert len(bomb) < 1 << 17
    tracemalloc.start()
    try:
        assert await failure(gzipped(bomb), Limits(max_body_bytes=1 << 20)) == "too_large"
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 23


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "compress", "x"])
async def test_other_codings_are_refused(coding: str) -> None:
    assert await failure(response(b"x", headers={"Content-Encoding": coding})) == "protocol_error"


@pytest.mark.parametrize(
    "body",
    [b"not gzip at all", gzip.compress(b"x" * 100)[:-4], gzip.compress(b"x") + b"more", gzip.compress(b"x") * 2],
    ids=["none", "cut off", "more behind it", "twice"],
)
async def test_broken_gzip_is_refused(body: bytes) -> None:
    assert await failure(gzipped(body)) == "protocol_error"


async def test_one_hostile_server_does_not_spoil_the_client_for_others() -> None:
    async with site(then_close(b"junk\r\n\r\n")) as evil, site(response(b"hello")) as kind, guarded(LOCAL) as client:
        for _ in range(150):  # more than the pool has connections
            with pytest.raises(FetchError):
                async with client.fetch("GET", at(evil), limits=SMALL):
                    pass
        async with client.fetch("GET", at(kind), limits=SMALL) as fetched:
            assert await fetched.read() == b"hello"
