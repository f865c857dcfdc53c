"""What the guarded client sends, follows and hands over."""

import asyncio
import io
import socket
from collections.abc import Sequence

import pytest
import structlog

from server.urls.allowance import Allowance
from server.urls.check import check_url
from server.urls.client import GuardedClient
from server.urls.errors import FetchError, UrlRefused
from server.urls.limits import PROMPT, WEBHOOK, Limits
from tests.server.urls.world import (
    OTHER_PUBLIC_IP,
    PUBLIC_IP,
    Asked,
    Names,
    Site,
    guarded,
    redirect,
    response,
    site,
)

LOCAL = Allowance(everything=True)


def at(there: Site, path: str = "/") -> str:
    return f"http://127.0.0.1:{there.port}{path}"


async def test_a_get_says_what_it_wants_and_nothing_of_us() -> None:
    async with (
        site(response(b"hello")) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there, "/a?b=c#d")) as answer,
    ):
        assert (answer.status, await answer.read(), answer.final_url) == (200, b"hello", at(there, "/a?b=c"))
    [asked] = there.asked
    assert (asked.method, asked.target, asked.body) == ("GET", "/a?b=c", b"")
    agent = asked.headers.pop("User-Agent")
    assert agent.startswith("Parley")
    assert asked.headers == {"Host": f"127.0.0.1:{there.port}", "Accept": "*/*", "Accept-Encoding": "identity"}


async def test_a_name_is_vetted_before_anything_is_requested() -> None:
    names = Names(
        {"inside.example": [["10.0.0.1"]], "both.example": [[PUBLIC_IP, "::1"]], "well.example": [[PUBLIC_IP]]}
    )
    async with guarded(names=names) as client:
        for host in ("inside.example", "both.example"):
            with pytest.raises(UrlRefused, match="resolves to an address that is not public"):
                await client.vet(check_url(f"http://{host}/"), 1.0)
        for _ in range(3):
            await client.vet(check_url("http://well.example/"), 1.0)
            await client.vet(check_url("http://unknown.example/"), 1.0)
    assert names.asked == ["inside.example", "both.example", "well.example", "unknown.example"], "it is remembered"


async def test_a_name_server_that_says_nothing_does_not_hold_up_for_long() -> None:
    class Silent(Names):
        async def __call__(self, host: str) -> Sequence[str]:
            await asyncio.sleep(30)
            return [PUBLIC_IP]

    async with guarded(names=Silent({})) as client:
        await client.vet(check_url("http://slow.example/"), 0.01)


async def test_where_everything_is_allowed_no_name_is_looked_up() -> None:
    names = Names({})
    async with guarded(LOCAL, names=names) as client:
        await client.vet(check_url("http://inside.example/", LOCAL), 1.0)
    assert names.asked == []


async def test_a_post_carries_its_body_and_headers() -> None:
    async with site(response(status="204 No Content")) as there, guarded(LOCAL) as client:
        headers = {"Content-Type": "application/json", "User-Agent": "mine"}
        async with client.fetch("POST", at(there), headers=headers, content=b'{"a": 1}') as answer:
            assert answer.status == 204
        async with client.fetch("POST", at(there)) as answer:
            assert await answer.read() == b""
    full, empty = there.asked
    assert (full.method, full.body) == ("POST", b'{"a": 1}')
    assert (full.headers["Content-Type"], full.headers["Content-Length"]) == ("application/json", "8")
    assert full.headers["User-Agent"] == "mine"
    assert (empty.body, empty.headers["Content-Length"]) == (b"", "0")


async def test_credentials_go_out_as_authorization() -> None:
    async with site(response()) as there, guarded(LOCAL) as client:
        with_credentials = f"http://anna:s%40crit@127.0.0.1:{there.port}/"
        async with client.fetch("GET", with_credentials) as answer:
            assert answer.final_url == at(there)
        async with client.fetch("GET", with_credentials, headers={"authorization": "Bearer mine"}):
            pass
    first, second = there.asked
    assert first.headers["Authorization"] == "Basic YW5uYTpzQGNyaXQ="
    assert second.headers["authorization"] == "Bearer mine"
    assert "Authorization" not in second.headers


async def test_host_keeps_the_name_while_the_address_is_dialled() -> None:
    async with site(response()) as there:
        names = {"hooks.example": [[PUBLIC_IP]]}
        async with (
            guarded(routes={PUBLIC_IP: there.port}, names=names) as client,
            client.fetch("GET", "http://Hooks.Example:8080/"),
        ):
            pass
    assert there.asked[0].headers["Host"] == "hooks.example:8080"


@pytest.mark.parametrize(
    "headers", [{"Host": "x"}, {"content-length": "1"}, {"A": "b\r\nC: d"}, {"A b": "c"}, {"": "c"}]
)
async def test_headers_that_would_change_the_frame_are_our_bug(headers: dict[str, str]) -> None:
    async with guarded(LOCAL) as client:
        with pytest.raises(ValueError, match=r"header|client"):
            async with client.fetch("GET", "http://127.0.0.1:9999/", headers=headers):
                pass


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site(response(b"proxied")) as proxy, site(response(b"direct")) as there:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, at(proxy))
        async with guarded(LOCAL) as client, client.fetch("GET", at(there)) as answer:
            assert await answer.read() == b"direct"
    assert proxy.connections == 0


async def test_a_body_can_go_into_a_file_and_only_once() -> None:
    body = bytes(range(256)) * 1000
    async with (
        site(response(body, headers={"Content-Type": "Audio/WAV; x=1"})) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there)) as answer,
    ):
        file = io.BytesIO()
        assert answer.content_type == "audio/wav"
        assert await answer.save(file) == len(body)
        with pytest.raises(RuntimeError):
            await answer.read()
    assert file.getvalue() == body


async def test_the_start_of_a_body_is_enough_for_a_callback() -> None:
    async with site(response(b"x" * 100_000)) as there, guarded(LOCAL) as client:
        async with client.fetch("POST", at(there), content=b"{}", limits=WEBHOOK) as answer:
            assert answer.status == 200
            assert await answer.read_start(4096) == b"x" * 4096
        async with client.fetch("POST", at(there), content=b"{}", limits=WEBHOOK) as answer:
            assert await answer.read_start(4096) == b"x" * 4096
    assert there.connections == 2


async def test_a_connection_is_used_again_when_the_answer_was_read_to_its_end() -> None:
    async with site(response(b"thanks", headers={"Retry-After": "7"})) as there, guarded(LOCAL) as client:
        for _ in range(3):
            async with client.fetch("POST", at(there), content=b"{}", limits=WEBHOOK) as answer:
                assert await answer.read_start(4096) == b"thanks"
                assert answer.headers["retry-after"] == "7"
    assert (there.connections, len(there.asked)) == (1, 3)


async def test_any_status_is_an_answer() -> None:
    for status in ("404 Not Found", "410 Gone", "429 Slow Down", "500 Oops"):
        async with (
            site(response(b"why", status=status)) as there,
            guarded(LOCAL) as client,
            client.fetch("GET", at(there)) as answer,
        ):
            assert (answer.status, await answer.read()) == (int(status[:3]), b"why")


async def test_not_modified_is_seen() -> None:
    async with (
        site(response(status="304 Not Modified")) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), headers={"If-None-Match": '"a"'}, limits=PROMPT) as answer,
    ):
        assert answer.not_modified


async def test_by_default_a_redirect_is_an_answer() -> None:
    async with (
        site(redirect("/elsewhere")) as there,
        guarded(LOCAL) as client,
        client.fetch("POST", at(there), content=b"{}") as answer,
    ):
        assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")
    assert len(there.asked) == 1


def hops(there: Asked, writer: asyncio.StreamWriter) -> None:
    left = int(there.target.rpartition("/")[2])
    writer.write(redirect(f"{left - 1}") if left else response(b"arrived"))


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_redirects_are_followed_as_far_as_allowed(count: int) -> None:
    async with (
        site(hops) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there, f"/go/{count}"), limits=PROMPT) as answer,
    ):
        assert (await answer.read(), answer.final_url) == (b"arrived", at(there, "/go/0"))
    assert len(there.asked) == count + 1


@pytest.mark.parametrize("target", ["/go/4", "/go/99999"])
async def test_more_redirects_are_an_error(target: str) -> None:
    async with site(hops) as there, guarded(LOCAL) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", at(there, target), limits=PROMPT):
                pass
    assert failed.value.code == "too_many_redirects"
    assert len(there.asked) == 4


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("file:///etc/passwd", "url_invalid"),
        ("ftp://127.0.0.1/", "url_invalid"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "url_invalid"),
        ("data:audio/wav;base64,AA", "url_invalid"),
        ("http://[::1", "url_invalid"),
        ("http://127.0.0.1:22/", "url_forbidden"),
        ("http://224.0.0.1/", "url_forbidden"),
        ("//169.254.169.254/latest/meta-data", "url_forbidden"),
    ],
)
async def test_redirects_out_of_the_web_are_refused(location: str, code: str) -> None:
    async with site(redirect(location)) as there, guarded(LOCAL) as client:
        with pytest.raises(UrlRefused) as refused:
            async with client.fetch("GET", at(there), limits=PROMPT):
                pass
    assert refused.value.code == code


async def test_a_redirect_without_a_place_is_an_answer() -> None:
    async with (
        site(response(status="302 Found")) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", at(there), limits=PROMPT) as answer,
    ):
        assert answer.status == 302


@pytest.mark.parametrize(
    ("status", "method", "body"),
    [(301, "GET", b""), (302, "GET", b""), (303, "GET", b""), (307, "POST", b"{}"), (308, "POST", b"{}")],
)
async def test_a_redirected_post_becomes_a_get_unless_that_is_forbidden(status: int, method: str, body: bytes) -> None:
    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(redirect("/new", status) if asked.target == "/" else response())

    async with site(answer) as there, guarded(LOCAL) as client:
        headers = {"Content-Type": "application/json"}
        async with client.fetch("POST", at(there), headers=headers, content=b"{}", limits=PROMPT):
            pass
    moved = there.asked[1]
    assert (moved.method, moved.body, "Content-Type" in moved.headers) == (method, body, method == "POST")


async def test_credentials_stay_with_the_server_they_are_for() -> None:
    async with site(response()) as other, site(redirect("http://other.example/")) as evil:
        names = {"mine.example": [[PUBLIC_IP]], "other.example": [[OTHER_PUBLIC_IP]]}
        routes = {PUBLIC_IP: evil.port, OTHER_PUBLIC_IP: other.port}
        headers = {"Cookie": "SECRET", "X-Kept": "yes"}
        async with (
            guarded(names=names, routes=routes) as client,
            client.fetch("GET", "http://anna:SECRET@mine.example/", headers=headers, limits=PROMPT),
        ):
            pass
    assert "SECRET" in evil.asked[0].headers["Cookie"]
    assert "Authorization" in evil.asked[0].headers
    assert {"Cookie", "Authorization"} & set(other.asked[0].headers) == set()
    assert other.asked[0].headers["X-Kept"] == "yes"


async def test_credentials_follow_a_redirect_on_the_same_server() -> None:
    async with (
        site(hops) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", f"http://anna:secret@127.0.0.1:{there.port}/go/1", limits=PROMPT),
    ):
        pass
    assert [asked.headers["Authorization"] for asked in there.asked] == ["Basic YW5uYTpzZWNyZXQ="] * 2


@pytest.mark.parametrize("turns", [[[]], None])
async def test_a_name_that_cannot_be_resolved_says_so(turns: list[list[str]] | None) -> None:
    async with guarded(names={"gone.example": turns} if turns else {}) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", "http://gone.example/"):
                pass
    assert failed.value.code == "dns_failed"


async def test_a_resolver_that_hangs_is_given_up() -> None:
    class Silent(Names):
        async def __call__(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            return []

    async with guarded(names=Silent({})) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", "http://slow.example/", limits=Limits(connect_s=0.05)):
                pass
    assert failed.value.code == "timeout"


async def test_a_closed_port_is_a_failed_connection() -> None:
    async with site(b"") as gone:
        pass
    async with guarded(LOCAL) as client:
        with pytest.raises(FetchError) as failed:
            async with client.fetch("GET", at(gone)):
                pass
    assert failed.value.code == "connect_failed"


async def test_the_systems_resolver_is_asked_if_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, *_args: object, **_options: object) -> list[object]:
        if host != "local.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))] * 2

    monkeypatch.setattr("server.urls.resolve.socket.getaddrinfo", getaddrinfo)
    async with site(response(b"hello")) as there:
        client = GuardedClient(LOCAL)
        try:
            async with client.fetch("GET", f"http://local.example:{there.port}/") as answer:
                assert await answer.read() == b"hello"
            with pytest.raises(FetchError) as failed:
                async with client.fetch("GET", f"http://gone.example:{there.port}/"):
                    pass
            assert failed.value.code == "dns_failed"
        finally:
            await client.aclose()


async def test_the_block_of_a_fetch_keeps_its_own_errors() -> None:
    async with site(response(b"hello")) as there, guarded(LOCAL) as client:
        with pytest.raises(TimeoutError, match="mine"):
            async with client.fetch("GET", at(there)):
                raise TimeoutError("mine")


async def test_a_fetch_can_be_cancelled() -> None:
    asked = asyncio.Event()

    async def silent(_asked: Asked, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with site(silent) as there, guarded(LOCAL) as client:

        async def fetch() -> None:
            async with client.fetch("GET", at(there)):
                pass

        async with asyncio.TaskGroup() as group:
            task = group.create_task(fetch())
            await asked.wait()
            task.cancel()
    assert task.cancelled()


async def test_logs_hold_no_query_and_no_credentials() -> None:
    with structlog.testing.capture_logs() as logs:
        async with site(hops) as there, guarded(LOCAL) as client:
            url = f"http://anna:SECRET@127.0.0.1:{there.port}/go/1?SECRET=/1"
            async with client.fetch("GET", url, limits=PROMPT) as answer:
                assert answer.status == 200
    assert [line["url"] for line in logs] == [at(there, "/go/1"), at(there, "/go/0")]
    assert "SECRET" not in repr(logs)


@pytest.mark.parametrize("ends", ["close", "abort"])
async def test_a_kept_connection_that_was_closed_is_replaced_at_once(ends: str) -> None:
    kept: set[asyncio.StreamWriter] = set()

    def answers_once(_: Asked, writer: asyncio.StreamWriter) -> None:
        if writer in kept:
            getattr(writer.transport, ends)()
        else:
            kept.add(writer)
            writer.write(response(b"done"))

    async with site(answers_once) as there, guarded(LOCAL) as client:
        for number in range(3):
            async with client.fetch("POST", at(there), content=str(number).encode()) as answer:
                assert await answer.read() == b"done"
    assert [asked.body for asked in there.asked] == [b"0", b"1", b"1", b"2", b"2"]
    assert there.connections == 3


@pytest.mark.parametrize("first", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_a_request_that_was_half_answered_is_not_repeated(first: bytes) -> None:
    kept: set[asyncio.StreamWriter] = set()

    def breaks_off(_: Asked, writer: asyncio.StreamWriter) -> None:
        if writer in kept:
            writer.write(first)
            writer.close()
        else:
            kept.add(writer)
            writer.write(response(b"done"))

    async with site(breaks_off) as there, guarded(LOCAL) as client:
        async with client.fetch("POST", at(there), content=b"0") as answer:
            await answer.read()
        with pytest.raises(FetchError):
            async with client.fetch("POST", at(there), content=b"1"):
                pass
    assert [asked.body for asked in there.asked] == [b"0", b"1"]


async def test_a_server_that_never_answers_is_asked_once() -> None:
    async with (
        site(lambda _, writer: writer.close()) as there,
        guarded(LOCAL) as client,
    ):
        with pytest.raises(FetchError) as lost:
            async with client.fetch("POST", at(there), content=b"0"):
                pass
    assert (lost.value.code, len(there.asked)) == ("connection_lost", 1)


@pytest.mark.parametrize(
    ("limits", "phase"), [(Limits(read_s=0.05, total_s=5), "read"), (Limits(read_s=5, total_s=0.05), "total")]
)
async def test_a_timeout_says_which_limit_it_was(limits: Limits, phase: str) -> None:
    async with site(b"") as there, guarded(LOCAL) as client:
        with pytest.raises(FetchError) as late:
            async with client.fetch("GET", at(there), limits=limits):
                pass
    assert (late.value.code, late.value.phase) == ("timeout", phase)


async def test_a_checked_url_is_fetched_as_it_is() -> None:
    async with (
        site(response(b"hello")) as there,
        guarded(LOCAL) as client,
        client.fetch("GET", check_url(at(there, "/a?b=c"), LOCAL).with_query("d=e")) as answer,
    ):
        assert await answer.read() == b"hello"
    assert [asked.target for asked in there.asked] == ["/a?b=c&d=e"]


async def test_a_url_that_was_checked_under_a_wider_allowance_leads_nowhere() -> None:
    async with site(response(b"hello")) as there, guarded() as client:
        with pytest.raises(UrlRefused):
            async with client.fetch("GET", check_url(at(there), LOCAL)):
                pass
    assert there.connections == 0
